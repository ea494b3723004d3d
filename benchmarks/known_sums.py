"""Do imported tables of published blocks add up to the latencies that are known of whole networks?

ProxylessNAS and Once-for-All have published a table of blocks each, and code that sums them. Here the tables are
imported, networks are laid out from their stages, and the times of their workloads are summed. The sums must agree to
1e-6 ms with those that were computed from the same files independently; then keys were understood, shapes and hidden
channels are right, and no row was left out. From the root of the repository:

    python benchmarks/known_sums.py --data ../shared/data

It takes seconds. The folder holds ``lut/proxylessnas_mobile_trim.yaml`` and ``lut/ofa_note10_224_lookup_table.yaml``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from devices import PacelineError, WrongUse
from latency import Shape, Workload, total
from lut import (
    Statement,
    Table,
    activated_convolution,
    classifier,
    format_of,
    global_pool,
    mobile_block,
    read_foreign,
)

_DATA = Path("../shared/data")

_TOLERANCE_MS = 1e-6
_TARGET = f"target: every sum within {_TOLERANCE_MS:g} ms of the known one"

_PROXYLESS_FILE = "lut/proxylessnas_mobile_trim.yaml"
_OFA_FILE = "lut/ofa_note10_224_lookup_table.yaml"


class Stage(NamedTuple):
    """Blocks of one width; the first has the stride.

    Attributes:
        channels: output channels of each block.
        blocks: how many there may be.
        stride: of the first block.
        activation: of all blocks.
        se: whether blocks have squeeze-and-excitation.
    """

    channels: int
    blocks: int
    stride: int
    activation: str
    se: bool = False


class Choice(NamedTuple):
    """What is chosen of a block: depthwise kernel, and hidden channels for each input channel."""

    kernel: int
    expansion: int


_PROXYLESS = (
    Stage(24, 4, 2, "relu6"),
    Stage(40, 4, 2, "relu6"),
    Stage(80, 4, 2, "relu6"),
    Stage(96, 4, 1, "relu6"),
    Stage(192, 4, 2, "relu6"),
    Stage(320, 1, 1, "relu6"),
)
"""ProxylessNAS (arXiv 1812.00332, section 4.2), after a stem of 32 channels and a first block of 16."""

_OFA = (
    Stage(32, 4, 2, "relu"),
    Stage(48, 4, 2, "relu", se=True),
    Stage(96, 4, 2, "h_swish"),
    Stage(136, 4, 1, "h_swish", se=True),
    Stage(192, 4, 2, "h_swish", se=True),
)
"""Once-for-All's MobileNetV3 at width 1.2, whose table was published, after a stem and a first block of 24 channels."""


@dataclass(frozen=True)
class Known:
    """A sum that is known.

    Attributes:
        name: of the network.
        file: the table.
        network: its workloads.
        known_ms: what they take together.
    """

    name: str
    file: str
    network: tuple[Workload, ...]
    known_ms: float


@dataclass(frozen=True)
class Sum:
    """A sum beside the known one."""

    name: str
    layers: int
    sum_ms: float
    known_ms: float

    @property
    def is_reached(self) -> bool:
        """Whether it is within the tolerance."""
        return abs(self.sum_ms - self.known_ms) <= _TOLERANCE_MS


def main() -> None:
    """Import, sum, compare; ends with 1 when a sum is off."""
    arguments = _arguments()
    knowns = _knowns()
    tables = {file: read_table(arguments.data / file) for file in dict.fromkeys(known.file for known in knowns)}
    sums = [
        Sum(known.name, len(known.network), sum_ms(tables[known.file], known.network), known.known_ms)
        for known in knowns
    ]
    if arguments.json:
        print(json.dumps({"sums": [{**asdict(one), "reached": one.is_reached} for one in sums]}, indent=1))
    else:
        _show(tables, sums)
    if not all(one.is_reached for one in sums):
        sys.exit(1)


def proxylessnas(choose: Callable[[int], Choice]) -> tuple[Workload, ...]:
    """ProxylessNAS at 224 pixels.

    Args:
        choose: kernel and expansion of each block, by its number from 0.
    """
    stem = activated_convolution((3, 224, 224), 32, activation="relu6", kernel=3, stride=2)
    first = mobile_block((32, 112, 112), 16, kernel=3, stride=1, hidden=32, activation="relu6", skip=False)
    blocks, last = _blocks((16, 112, 112), _PROXYLESS, choose)
    mix = activated_convolution(last, 1280, activation="relu6")
    return stem, first, *blocks, mix, classifier((1280, *last[1:]), 1000, pool=True)


def once_for_all(choose: Callable[[int], Choice], depth: int) -> tuple[Workload, ...]:
    """Once-for-All's MobileNetV3 at 224 pixels.

    Args:
        choose: kernel and expansion of each block, by its number from 0.
        depth: how many blocks each stage has.
    """
    stem = activated_convolution((3, 224, 224), 24, activation="h_swish", kernel=3, stride=2)
    first = mobile_block((24, 112, 112), 24, kernel=3, stride=1, hidden=24, activation="relu", skip=True)
    stages = [stage._replace(blocks=depth) for stage in _OFA]
    blocks, last = _blocks((24, 112, 112), stages, choose)
    expand = activated_convolution(last, 1152, activation="h_swish")
    pool = global_pool((1152, *last[1:]))
    mix = activated_convolution((1152, 1, 1), 1536, activation="h_swish", norm=False)
    return stem, first, *blocks, expand, pool, mix, classifier((1536, 1, 1), 1000, pool=False)


def read_table(path: Path) -> Table:
    """The table of a published file, every row of it.

    Raises:
        WrongUse: a row is wrong: then no sum says anything.
    """
    imported = read_foreign(path, format_of(path), Statement())
    if imported.problems:
        first = imported.problems[0]
        raise WrongUse(f"{path} has {len(imported.problems)} wrong rows, {first.where} for one: {first.reason}.")
    table = Table()
    for row in imported.rows:
        table.add_estimate(*row)
    return table


def sum_ms(table: Table, network: Sequence[Workload]) -> float:
    """What the workloads take together, in milliseconds.

    Raises:
        WrongUse: the table lacks one of them.
    """
    environment = table.environment()
    times = {workload: table.estimate(workload, environment) for workload in network}
    if lacking := [workload for workload, time in times.items() if time is None]:
        raise WrongUse(f"The table lacks {len(lacking)} workloads, {lacking[0].describe()} for one.")
    return total(time for workload in network if (time := times[workload])).mean_s * 1e3


def _blocks(source: Shape, stages: Sequence[Stage], choose: Callable[[int], Choice]) -> tuple[list[Workload], Shape]:
    """The blocks of all stages, and the shape of what the last one writes."""
    found = list[Workload]()
    for stage in stages:
        for number in range(stage.blocks):
            kernel, expansion = choose(len(found))
            stride = stage.stride if number == 0 else 1
            block = mobile_block(
                source,
                stage.channels,
                kernel=kernel,
                stride=stride,
                hidden=source[0] * expansion,
                activation=stage.activation,
                skip=stride == 1 and source[0] == stage.channels,
                se=stage.se,
            )
            found.append(block)
            source = stage.channels, -(-source[1] // stride), -(-source[2] // stride)
    return found, source


def _knowns() -> tuple[Known, ...]:
    def every(kernel: int, expansion: int) -> Callable[[int], Choice]:
        return lambda block: Choice(kernel, expansion)

    proxyless = {(3, 3): 76.048099, (3, 6): 136.466266, (5, 3): 87.720278, (7, 6): 191.029871}
    return (
        *(
            Known(f"ProxylessNAS, every block k{k} e{e}", _PROXYLESS_FILE, proxylessnas(every(k, e)), known_ms)
            for (k, e), known_ms in proxyless.items()
        ),
        Known("Once-for-All, k3 e3 depth 2", _OFA_FILE, once_for_all(every(3, 3), 2), 17.769056),
        Known("Once-for-All, k7 e6 depth 4", _OFA_FILE, once_for_all(every(7, 6), 4), 92.398038),
    )


def _show(tables: Mapping[str, Table], sums: Sequence[Sum]) -> None:
    for file, table in tables.items():
        print(f"{file}: {len(table.unmeasured())} rows, {table.environment().describe()}")
    print(f"{'':36}{'layers':>8}{'sum (ms)':>14}{'known (ms)':>14}{'off by (ms)':>14}")
    for one in sums:
        off = f"{one.sum_ms - one.known_ms:+.1e}"
        print(f"{one.name:36}{one.layers:8}{one.sum_ms:14.6f}{one.known_ms:14.6f}{off:>14}")
    print(f"{_TARGET}: {sum(one.is_reached for one in sums)} of {len(sums)} reached")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n")[0],
        epilog=_TARGET,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--data", type=Path, default=_DATA, help="folder that holds lut")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except PacelineError as error:
        sys.exit(f"error: {error}")
