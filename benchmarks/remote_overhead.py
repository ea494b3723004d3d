"""What does it cost that a device is reached by ssh? The same table is filled here and over ssh, in turns.

Unless --target names a device of yours, an OpenSSH server on loopback plays it, so that both sides run on the same
processor with the same Python and runtime, and what is left over is the way: encryption, JSON lines, files that go
over, an agent that is started. Everything counts, from the first connection to the last row: exporting models,
processes that are started, rounds. Both tables are compared, too: the same keys, and times within the noise between
two local fills. Run it from the root of the repository:

    python benchmarks/remote_overhead.py --blocks 20 --repeats 3
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.peers_plan import add_subject_options, positive, sample_of_blocks
from devices import PacelineError, Target, find_target, read_device
from latency import Measurement, SamplingPlan, Workload
from lut import Key, appending, fill
from paceline.place import Place, measuring_place

_ENOUGH = 1.10
"""Overhead that a table from a remote device may cost."""


@dataclass(frozen=True)
class Filled:
    """A table that was filled from nothing.

    Attributes:
        seconds: that it took.
        times_s: time of each block, by its digest and that of its environment.
    """

    seconds: float
    times_s: Mapping[Key, float]


def filled(place: Place, blocks: Sequence[Workload], plan: SamplingPlan, seed: int) -> Filled:
    """Fill a new table, and throw it away."""
    with tempfile.TemporaryDirectory(prefix="paceline-") as folder:
        started = time.monotonic()
        with place.starts() as start, appending(Path(folder) / "table.jsonl") as writer:
            fill(writer, start, blocks, plan, seed=seed)
        seconds = time.monotonic() - started
        measured = {key: one.time_s for key, one in writer.table.items() if isinstance(one, Measurement)}
    return Filled(seconds, measured)


def spread(one: Filled, other: Filled) -> float:
    """By how much two tables differ: the median over their blocks, as a share."""
    common = one.times_s.keys() & other.times_s.keys()
    return statistics.median(abs(one.times_s[key] / other.times_s[key] - 1) for key in common)


@contextmanager
def loopback() -> Iterator[Target]:
    """This machine as a device that is reached by ssh."""
    from tests.sshd import OpenSshServer

    with tempfile.TemporaryDirectory(prefix="paceline-") as folder:
        server = OpenSshServer(Path(folder))
        server.start()
        try:
            connection = server.connection(python=sys.executable)
            yield replace(find_target("local"), name="loopback", is_here=False, connection=connection)
        finally:
            server.power_off()


def main() -> None:
    """Fill here and there in turns; print seconds per workload, their ratio, and how far the tables are apart."""
    options = _options()
    blocks = sample_of_blocks(options.blocks, options.sample)
    plan = SamplingPlan().with_rounds(options.rounds)
    found = loopback() if options.target is None else nullcontext(find_target(options.target))
    print(f"machine: {read_device().describe()}")
    print(f"{len(blocks)} blocks, at most {options.rounds} rounds, {options.runtime}, seconds per workload")
    try:
        here, there = measure(found, options, blocks, plan)
    except PacelineError as error:
        sys.exit(f"error: {error}")
    report(here, there)


def measure(
    found: AbstractContextManager[Target], options: argparse.Namespace, blocks: Sequence[Workload], plan: SamplingPlan
) -> tuple[list[Filled], list[Filled]]:
    """Fill here and there in turns, and print each turn."""
    here, there = list[Filled](), list[Filled]()
    with found as target:
        sides = (find_target("local"), target)
        places = [measuring_place(side, options.runtime, options.threads, []) for side in sides]
        for turn in range(options.repeats):
            turns = list(zip(places, (here, there), strict=True))
            for place, results in turns if turn % 2 == 0 else turns[::-1]:
                results.append(filled(place, blocks, plan, turn))
            per_block = [results[-1].seconds / len(blocks) for results in (here, there)]
            print(f"  turn {turn + 1}: here {per_block[0]:.3f} s, over ssh {per_block[1]:.3f} s", flush=True)
    return here, there


def report(here: Sequence[Filled], there: Sequence[Filled]) -> None:
    """Print the ratio and how far the tables are apart."""
    ratios = [remote.seconds / local.seconds for local, remote in zip(here, there, strict=True)]
    ratio = statistics.median(ratios)
    print(f"over ssh / here: {ratio:.3f} (turns: {', '.join(f'{r:.3f}' for r in ratios)})")
    print(f"target: at most {_ENOUGH:.2f}: {'reached' if ratio <= _ENOUGH else 'not reached'}")
    same = all(local.times_s.keys() == remote.times_s.keys() for local, remote in zip(here, there, strict=True))
    print(f"keys: {'the same' if same else 'different: another device, or another runtime there'}")
    if same:
        apart = statistics.median(spread(local, remote) for local, remote in zip(here, there, strict=True))
        print(f"tables, here against ssh: median block differs by {apart:.1%}")
    if len(here) > 1:
        noise = statistics.median(spread(one, other) for one, other in pairwise(here))
        print(f"tables, here against here: median block differs by {noise:.1%}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add_subject_options(parser, blocks=20)
    parser.add_argument(
        "--rounds", type=positive, default=6, metavar="N", help="most rounds of a fill (default %(default)s)"
    )
    parser.add_argument("--repeats", type=positive, default=3, metavar="N", help="turns (default %(default)s)")
    parser.add_argument("--target", metavar="NAME", help="a device of yours, as `paceline targets` lists it")
    return parser.parse_args()


if __name__ == "__main__":
    main()
