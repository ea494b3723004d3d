"""Do two fills of a table agree: on an idle machine, and when a load comes on between them?

A sample of blocks of squeezenas-large at 256x512 is timed six times, by our plan and by the plan of the peers' scripts
in turns: A, B, and once under a load that this script puts on all cores (benchmarks/background_load.py; the same spans
for both). Each fill has processes and an order of blocks of its own. The peers' plan (benchmarks/peers_plan.py) gets as
much time as our fill before it took, and takes the mean of all calls. Printed are the median and the 90th percentile
over blocks of |second / first - 1|, B against A and the loaded fill against A; as they are, and after what all blocks
have in common was taken out, as a clock that changed. Between the two fills of a pair lie equally many others on both
sides, so that a machine that drifts slowly favours nobody.

The machine must have nothing else to do; what other processes took before each fill is printed. With the defaults this
takes about eight minutes. Run it from the root of the repository:

    python benchmarks/repeatability.py
    python benchmarks/repeatability.py --blocks 3 --rounds 2    # a short run, whose figures mean little
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.background_load import Load, background_load, cores
from benchmarks.fills import (
    Fill,
    Fills,
    Spread,
    Subject,
    add_run_options,
    describe_plan,
    open_subject,
    our_plan,
    run_or_exit,
)
from benchmarks.peers_plan import CALLS, WARM_UPS, add_subject_options
from latency import SamplingPlan

BLOCKS = 30
"""Six fills of so many blocks take about eight minutes with two cores."""

MOST_OF_PEERS = 0.5
"""Target: our median is at most this share of the peers'."""

MOST_UNDER_LOAD = 0.02
"""Target: our median under load is at most this."""

LOAD_SEED = 1

PEERS = (
    f"peers: {WARM_UPS} warm-ups, then the mean of {CALLS} calls, repeated while a block's share of our fill's seconds "
    "lasts, block after block in one process"
)
"""The peers' plan in words."""

SITUATIONS: Mapping[str, tuple[str, str]] = {"both idle": ("A", "B"), "second under load": ("A", "under load")}
"""What is compared with what."""


class Pair(NamedTuple):
    """The spread of our plan and of the peers', in one situation."""

    ours: Spread
    peers: Spread


@dataclass(frozen=True)
class Target:
    """A figure and what it should be at most.

    Attributes:
        what: the figure in words.
        at_most: its target.
        got: what came out; None where it has no value, as a share of nothing.
    """

    what: str
    at_most: float
    got: float | None

    @property
    def is_reached(self) -> bool:
        """Whether it is known and small enough."""
        return self.got is not None and self.got <= self.at_most

    def describe(self) -> str:
        """One line for the screen."""
        got = "unknown" if self.got is None else f"{self.got:.3g}"
        return f"{self.what}: {got}, target <= {self.at_most:g}, {'reached' if self.is_reached else 'missed'}"


def fill_all(subject: Subject, plan: SamplingPlan, fills: Fills, seed: int) -> None:
    """Make the six fills that are not known yet, each with a seed of its own."""
    for index, name in enumerate(("A", "B", "under load")):
        is_loaded = name == "under load"
        ours = partial(subject.ours, plan, seed + 2 * index)
        known = fills.get(f"ours {name}", partial(_loaded, ours) if is_loaded else ours)
        peers = partial(subject.peers, seed + 2 * index + 1, seconds=known.seconds)
        fills.get(f"peers {name}", partial(_loaded, peers) if is_loaded else peers)


def _loaded(make: partial[Fill]) -> Fill:
    """A fill while the load is on the machine."""
    with background_load(LOAD_SEED) as load:
        made = make()
    return replace(made, load_cores=load.busy_cores)


def pairs_of(done: Mapping[str, Fill]) -> dict[str, Pair]:
    """The spreads in each situation."""
    return {
        situation: Pair(
            *(Spread.between(done[f"{side} {first}"], done[f"{side} {second}"]) for side in ("ours", "peers"))
        )
        for situation, (first, second) in SITUATIONS.items()
    }


def targets_of(pairs: Mapping[str, Pair]) -> list[Target]:
    """What was to be reached, and what was."""
    shares = [
        Target(f"{situation}, our median / the peers'", MOST_OF_PEERS, share(pair.ours.median, pair.peers.median))
        for situation, pair in pairs.items()
    ]
    return [*shares, Target("second under load, our median", MOST_UNDER_LOAD, pairs["second under load"].ours.median)]


def share(part: float, whole: float) -> float | None:
    """Part / whole; None where the whole is 0."""
    return part / whole if whole else None


def spread_lines(pairs: Mapping[str, Pair]) -> list[str]:
    """A table for the screen."""
    lines = [f"{'|second / first - 1| over blocks':<49} {'ours':>8} {'peers':>8} {'ours / peers':>13}"]
    for situation, (ours, peers) in pairs.items():
        rows = (
            (f"{situation}, median", ours.median, peers.median),
            (f"{situation}, 90th percentile", ours.p90, peers.p90),
            (f"{situation}, common factor out, median", ours.relative_median, peers.relative_median),
            (f"{situation}, common factor out, 90th perc.", ours.relative_p90, peers.relative_p90),
        )
        lines += [f"{what:<49} {mine:>8.2%} {theirs:>8.2%} {_cell(share(mine, theirs))}" for what, mine, theirs in rows]
        lines.append(f"{situation + ', common factor':<49} {ours.common:>8.4f} {peers.common:>8.4f}")
    return lines


def _cell(ratio: float | None) -> str:
    return f"{'-' if ratio is None else f'{ratio:.2f}':>13}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add_subject_options(parser, BLOCKS)
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the orders (default %(default)s)")
    add_run_options(parser)
    return parser.parse_args()


def run() -> None:
    """Make the fills and print what they say."""
    options = _options()
    plan = our_plan(options.rounds)
    load = Load(cores())
    with open_subject(options) as subject:
        asked = {
            **subject.to_json(),
            "plan": plan.to_json(),
            "peers": PEERS,
            "seed": options.seed,
            "load": load.describe(),
        }
        fills = Fills(options.fills, asked)
        fill_all(subject, plan, fills, options.seed)
    pairs = pairs_of(fills.done)
    targets = targets_of(pairs)
    if options.json:
        spreads = {
            situation: {side: asdict(s) for side, s in pair._asdict().items()} for situation, pair in pairs.items()
        }
        reached = [{**asdict(target), "reached": target.is_reached} for target in targets]
        print(json.dumps({**asked, "fills": fills.to_json(), "spreads": spreads, "targets": reached}, indent=1))
        return
    for line in (
        *subject.describe(),
        describe_plan(plan),
        PEERS,
        f"load: {load.describe()}",
        "",
        *fills.lines(),
        "",
        *spread_lines(pairs),
        "",
    ):
        print(line)
    for target in targets:
        print(target.describe())


if __name__ == "__main__":
    run_or_exit(run)
