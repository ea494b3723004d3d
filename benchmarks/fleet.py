"""How often does a fleet find a device that is a little slower, and how often one that is not?

Devices are simulated, so that the truth is known and each case can be had hundreds of times. A burst of a block takes
the block's time, times what the device is slower, times three draws: what sets this block apart on this device (a board
has its own kernels and memory), what this process has in common over all blocks, and what the burst has for itself.
Bursts are taken by the plan of ``profile-device``, until a block's interval is narrow enough, and compared as a fleet
compares them. A second part fills whole tables to count the work of each device. From the root of the repository:

    python benchmarks/fleet.py --repeats 400

It takes a few minutes; --repeats 20 is a first look.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.peers_plan import all_blocks, positive
from devices import Device, DeviceState
from latency import UNFINISHED, Burst, Environment, Measurement, Outcome, Runtime, SamplingPlan, Workload
from lut import FleetAgreement, appending, compare_devices, fill_fleet

_ENVIRONMENT = Environment(Device("cpu", "simulated", "none"), Runtime("simulated", {}, 1, {}))
_STATE = DeviceState()

_DEVICES = (2, 3, 4)
_SLOWER = (0.0, 0.01, 0.02, 0.03, 0.05)
_COMMON = 12
"""Blocks that all devices measure under the usual plan and tolerance, see ``lut.shares.common_count``."""

_TABLES = 20
"""Tables that are filled to count the work; the counts vary little."""


@dataclass(frozen=True)
class Noise:
    """How much the times of a device scatter: standard deviations, as shares.

    Attributes:
        blocks: what sets a block apart on this device.
        processes: what all blocks of one process have in common.
        bursts: what a burst has for itself.
    """

    blocks: float
    processes: float
    bursts: float

    def describe(self) -> str:
        """One line for the screen."""
        return f"scatter: block by block {self.blocks:.1%}, processes {self.processes:.1%}, bursts {self.bursts:.1%}"


NOISES = (Noise(0.007, 0.006, 0.005), Noise(0.007, 0.018, 0.005))
"""A quiet board; and one whose processes scatter so much that two fills of it differ by 0.9 %, as two of one machine
did (benchmarks/results/repeatability_amd_epyc_2_cores.txt). There half of the blocks were within 0.44 % of the common
factor, and nine in ten within 1.8 %."""


class Board:
    """A simulated device.

    Args:
        slower: its times over those of the others, less 1.
        noise: how much they scatter.
        draw: whatever is drawn comes from it.
    """

    def __init__(self, slower: float, noise: Noise, draw: random.Random) -> None:
        self._factor, self._noise, self._draw = 1 + slower, noise, draw
        self._own: dict[Workload, float] = {}
        self._process, self._shift = "", 1.0
        self.taken = 0
        self.environment = _ENVIRONMENT

    @contextmanager
    def start(self, usual_s: Mapping[str, float] = {}) -> Iterator[Board]:
        """A process of its own, with its own speed."""
        self._process, self._shift = str(uuid.UUID(int=self._draw.getrandbits(128))), self._some(self._noise.processes)
        yield self

    def measure(self, workload: Workload, plan: SamplingPlan) -> Outcome:
        """One burst, of one sample: what scatters within a burst is in its median already."""
        own = self._own.setdefault(workload, self._some(self._noise.blocks))
        time_s = 1e-3 * self._factor * own * self._shift * self._some(self._noise.bursts)
        burst = Burst((time_s,), 1, "precise", _STATE, _STATE, "2024-01-02T03:04:05+00:00", process=self._process)
        self.taken += 1
        return Measurement(workload, self.environment, plan, (burst,), UNFINISHED)

    def rows(self, workloads: Sequence[Workload], plan: SamplingPlan) -> dict[Workload, Outcome]:
        """What it knows of blocks when a fill is done with them."""
        known = dict[Workload, Measurement]()
        todo = list(workloads)
        while todo:
            with self.start():
                for workload in todo:
                    burst = self.measure(workload, plan)
                    assert isinstance(burst, Measurement)
                    had = known[workload].bursts if workload in known else ()
                    known[workload] = replace(burst, bursts=(*had, *burst.bursts))
            todo = [workload for workload in todo if known[workload].reason_to_end() is None]
        return dict(known)

    def _some(self, deviation: float) -> float:
        return self._draw.lognormvariate(0, deviation)


def outcome(found: FleetAgreement, slow: str | None) -> str:
    """What a fleet says, seen by who knows which device is the slower one; None where none is."""
    told = set(found.disagreeing)
    if not found.has_majority:
        return "nobody knows which" if slow else "false alarm"
    if told:
        return "found" if told == {slow} else "false alarm"
    return "known too badly" if found.unclear else "nothing"


def compared(devices: int, slower: float, noise: Noise, repeats: int, seed: int) -> Counter[str]:
    """What fleets say of which the last device is the slower one."""
    draw = random.Random(f"{seed} {devices} {slower} {noise}")
    said = Counter[str]()
    plan, common = SamplingPlan(), all_blocks()[:_COMMON]
    for _ in range(repeats):
        boards = [Board(0.0, noise, draw) for _ in range(devices - 1)] + [Board(slower, noise, draw)]
        found = compare_devices({str(number): board.rows(common, plan) for number, board in enumerate(boards)})
        said[outcome(found, str(devices - 1) if slower else None)] += 1
    return said


OUTCOMES = ("found", "nobody knows which", "false alarm", "known too badly", "nothing")


def show_comparisons(noise: Noise, repeats: int, seed: int) -> None:
    """Print the table of how often a slower device is reported."""
    print(f"\n{noise.describe()}; {_COMMON} common blocks, {repeats} fleets each")
    print("devices  slower  reported  " + "  ".join(f"{name:>18}" for name in OUTCOMES))
    for devices in _DEVICES:
        for slower in _SLOWER:
            said = compared(devices, slower, noise, repeats, seed)
            reported = sum(said[name] for name in OUTCOMES[:3]) / repeats
            shares = "  ".join(f"{said[name] / repeats:>18.1%}" for name in OUTCOMES)
            print(f"{devices:>7}  {slower:>6.0%}  {reported:>8.1%}  {shares}", flush=True)


def bursts_taken(devices: int, noise: Noise, seed: str) -> list[int]:
    """Bursts that each device takes when so many fill a whole table."""
    boards = {str(number): Board(0.0, noise, random.Random(f"{seed} {number}")) for number in range(devices)}
    starts = {name: board.start for name, board in boards.items()}
    with tempfile.TemporaryDirectory(prefix="paceline-") as name:
        table, shards = Path(name) / "table.jsonl", Path(name) / "shards"
        with appending(table) as writer:
            summary = fill_fleet(writer, starts, all_blocks(), SamplingPlan(), shards=shards)
    assert devices == 1 or summary.common == _COMMON
    return [board.taken for board in boards.values()]


def show_work(noise: Noise, repeats: int, seed: int) -> None:
    """Print the work of each device when whole tables are filled."""
    print(f"\nwork: tables of {len(all_blocks())} blocks, filled by so many devices; bursts, mean of {repeats} tables")
    print("devices  in all  of the busiest  of the least busy  busiest / one alone")
    alone = 0.0
    for devices in (1, 2, 4):
        taken = [bursts_taken(devices, noise, f"{seed} {repeat}") for repeat in range(repeats)]
        whole, busiest, least = (statistics.fmean(map(count, taken)) for count in (sum, max, min))
        alone = alone or busiest
        print(f"{devices:>7}  {whole:>6,.0f}  {busiest:>14,.0f}  {least:>17,.0f}  {busiest / alone:>19.1%}", flush=True)


def main() -> None:
    """Print how often a slower device is found, and what each device has to do."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "--repeats", type=positive, default=400, metavar="N", help="fleets for each case (default %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of everything that is drawn")
    options = parser.parse_args()
    for noise in NOISES:
        show_comparisons(noise, options.repeats, options.seed)
    show_work(NOISES[0], min(options.repeats, _TABLES), options.seed)


if __name__ == "__main__":
    main()
