"""How many seconds does a table cost that two fills agree on, by our plan and by a fixed number of calls?

Blocks of squeezenas-large at 256x512 are timed twice by our plan at a wanted interval of 1 %: that gives its seconds,
and its repeatability, the median over blocks of |second / first - 1|. Then they are timed twice by the peers' plan
(benchmarks/peers_plan.py: 10 warm-ups and the mean of N calls, block after block in one process) with N = 50, 100, 200,
and so on, until its repeatability is no worse, or the next fill would take longer than a cap. What is printed is how
many times our seconds that takes.

Two things favour the fixed plan: the first N that happens to do well ends the search, and its short fills follow one
another so quickly that the machine has no time to drift. Exporting models costs both the same and is left out.

The machine must have nothing else to do; what other processes took before each fill is printed. With the defaults this
takes up to ten minutes. Run it from the root of the repository:

    python benchmarks/cost_of_a_table.py
    python benchmarks/cost_of_a_table.py --blocks all           # the whole table, an hour or more
    python benchmarks/cost_of_a_table.py --blocks 3 --rounds 2  # a short run, whose figures mean little
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

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
    say,
)
from benchmarks.peers_plan import WARM_UPS, add_subject_options
from latency import SamplingPlan

BLOCKS = 16
"""With so many blocks, ten minutes are enough for both plans up to the cap."""

FIRST_CALLS = 50
"""The least N; each further one is twice as large."""

CAP = 5.0
"""Fills of the fixed plan that would take more than this many times our seconds are not made."""


@dataclass(frozen=True)
class Cost:
    """What two fills by one plan cost, and how well they agree.

    Attributes:
        calls: N of the fixed plan; None of ours.
        seconds: mean of the two fills.
        spread: of the second against the first.
    """

    calls: int | None
    seconds: float
    spread: Spread

    @staticmethod
    def of(calls: int | None, first: Fill, second: Fill) -> Cost:
        """The cost of these two fills."""
        return Cost(calls, (first.seconds + second.seconds) / 2, Spread.between(first, second))

    def line(self, ours: Cost) -> str:
        """One row for the screen."""
        name = "ours" if self.calls is None else f"{WARM_UPS} + mean of {self.calls}"
        ratio = self.seconds / ours.seconds
        return f"{name:<20} {self.seconds:>8.1f} {self.spread.median:>8.2%} {self.spread.p90:>8.2%} {ratio:>15.2f}"


@dataclass(frozen=True)
class Verdict:
    """How the fixed plan fared.

    Attributes:
        calls: the first N whose fills agreed as well as ours; None when none did.
        ratio: seconds of its fill, or of the last one tried, as a multiple of ours.
        cap: the multiple at which was given up.
    """

    calls: int | None
    ratio: float
    cap: float

    @staticmethod
    def on(ours: Cost, tried: list[Cost], cap: float) -> Verdict:
        """The verdict on all that were tried, in their order."""
        last = tried[-1]
        return Verdict(last.calls if agrees(last, ours) else None, last.seconds / ours.seconds, cap)

    def describe(self) -> str:
        """One line for the screen."""
        if self.calls is None:
            return f"not reached within {self.cap:g} times our seconds (tried up to {self.ratio:.2f} times)"
        return f"reached with the mean of {self.calls} calls: {self.ratio:.2f} times our seconds"


def agrees(cost: Cost, ours: Cost) -> bool:
    """Whether two fills agree at least as well as ours."""
    return cost.spread.median <= ours.spread.median


def expected_s(last: Fill, calls: int, more_calls: int) -> float:
    """Seconds of a fill with ``more_calls`` calls a block, after one with ``calls``: what is not calls stays."""
    return last.seconds + (more_calls - calls) * sum(last.times_s.values())


def climb(subject: Subject, fills: Fills, ours: Cost, cap: float, seed: int) -> list[Cost]:
    """Fill twice with more and more calls, until two fills agree as well as ours or the cap is near."""
    tried: list[Cost] = []
    calls = FIRST_CALLS
    while True:
        name = f"{WARM_UPS} + mean of {calls}"
        first = fills.get(f"{name}, A", partial(subject.peers, seed + 2, calls))
        second = fills.get(f"{name}, B", partial(subject.peers, seed + 3, calls))
        tried.append(Cost.of(calls, first, second))
        if agrees(tried[-1], ours):
            return tried
        if expected_s(second, calls, 2 * calls) > cap * ours.seconds:
            say(f"{2 * calls} calls would take more than {cap:g} times our seconds")
            return tried
        calls *= 2


def measure(subject: Subject, plan: SamplingPlan, fills: Fills, options: argparse.Namespace) -> tuple[Cost, list[Cost]]:
    """Fill by both plans; our cost and those of the fixed plan."""
    first = fills.get("ours, A", partial(subject.ours, plan, options.seed))
    second = fills.get("ours, B", partial(subject.ours, plan, options.seed + 1))
    ours = Cost.of(None, first, second)
    return ours, climb(subject, fills, ours, options.cap, options.seed)


def above_0(text: str) -> float:
    """A number above 0.

    Raises:
        ArgumentTypeError: it is none.
    """
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number above 0; got {text!r}")
    return number


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add_subject_options(parser, BLOCKS)
    parser.add_argument(
        "--interval",
        type=above_0,
        default=100 * SamplingPlan.precision,
        metavar="PERCENT",
        help="95 %% interval of a block that our plan wants, on both sides (default %(default)g)",
    )
    parser.add_argument(
        "--cap",
        type=above_0,
        default=CAP,
        metavar="TIMES",
        help="make no fill of the fixed plan that would take more than TIMES our seconds (default %(default)g)",
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the orders (default %(default)s)")
    add_run_options(parser)
    return parser.parse_args()


def run() -> None:
    """Make the fills and print what they say."""
    options = _options()
    plan = our_plan(options.rounds, options.interval / 100)
    with open_subject(options) as subject:
        asked = {**subject.to_json(), "plan": plan.to_json(), "seed": options.seed}
        fills = Fills(options.fills, asked)
        ours, tried = measure(subject, plan, fills, options)
    verdict = Verdict.on(ours, tried, options.cap)
    if options.json:
        costs: dict[str, Any] = {"ours": asdict(ours), "fixed": [asdict(cost) for cost in tried]}
        print(json.dumps({**asked, "fills": fills.to_json(), **costs, "verdict": asdict(verdict)}, indent=1))
        return
    for line in (*subject.describe(), describe_plan(plan), "", *fills.lines(), ""):
        print(line)
    print(f"{'plan':<20} {'seconds':>8} {'median':>8} {'90th':>8} {'seconds / ours':>15}")
    for cost in (ours, *tried):
        print(cost.line(ours))
    print("median and 90th percentile over blocks of |second / first - 1|; seconds are the mean of the two fills")
    whole_s = ours.seconds * subject.of / len(subject.blocks)
    print(f"all {subject.of} blocks at this rate, by our plan: {whole_s:.0f} s")
    print(f"the fixed plan: {verdict.describe()}")


if __name__ == "__main__":
    run_or_exit(run)
