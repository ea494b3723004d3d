"""What nasbench201_limit.py found: outcomes of searches in order, and how they are printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
import numpy.typing as npt

from benchmarks.search_peers import PEERS

Array: TypeAlias = npt.NDArray[np.float64]

DEFAULT = "surrogate"
"""The search that the others are compared with."""

_HEADINGS = (
    "Regret in % of test accuracy after 200 epochs: mean at each limit, mean over all with its standard error",
    "over seeds, standard deviation over searches. Then regret by the score that is searched (12 epochs, validation),",
    "proposals for each query, searches that ended before their queries, seconds for one search.",
)


@final
@dataclass(frozen=True)
class Outcome:
    """How one search ended.

    Attributes:
        regret: in percent of test accuracy after 200 epochs.
        gap: the same by the score that was searched.
        queries: different cells within the limit that were asked for; fewer than allowed where a search had no more
            to propose, and more where pymoo's GA was amid a generation.
        proposals: all cells that were proposed.
        over: cells above the limit that a strategy of ours proposed.
        seconds: of the search.
    """

    regret: float
    gap: float
    queries: int
    proposals: int
    over: int
    seconds: float


Task: TypeAlias = tuple[str, str, float, int]
"""Data set, device, percentile, seed."""

Results: TypeAlias = dict[Task, dict[str, Outcome]]


@final
@dataclass(frozen=True, eq=False)
class Found:
    """All outcomes as arrays of shape (problems, seeds).

    Attributes:
        title: data set, and how much was searched.
        queries: that a search was allowed.
        percentile: of each problem's limit, shape (problems,).
        outcomes: by search and then by attribute of ``Outcome``.
        floor: shape (problems,).
    """

    title: str
    queries: int
    percentile: Array
    outcomes: Mapping[str, Mapping[str, Array]]
    floor: Array

    @staticmethod
    def of(results: Results, floor: Array, tasks: Sequence[Task], names: Sequence[str], queries: int) -> Found:
        """Put results in order.

        Args:
            results: of every task and search.
            floor: of each problem, shape (problems,), in the order in which tasks name them.
            tasks: every problem with every seed.
            names: of the searches.
            queries: that a search was allowed.
        """
        problems = list(dict.fromkeys(task[:3] for task in tasks))
        seeds = list(dict.fromkeys(task[3] for task in tasks))
        outcomes = {
            name: {
                field: np.array(
                    [[getattr(results[*problem, seed][name], field) for seed in seeds] for problem in problems]
                )
                for field in Outcome.__dataclass_fields__
            }
            for name in names
        }
        devices = len({problem[1] for problem in problems})
        title = f"{problems[0][0]}, {devices} devices, {len(problems)} limits, {len(seeds)} seeds"
        return Found(title, queries, np.array([problem[2] for problem in problems]), outcomes, floor)

    def row(self, name: str) -> dict[str, float]:
        """One search."""
        own = self.outcomes[name]
        regret = own["regret"]
        at = {f"p{percentile:g}": float(regret[self.percentile == percentile].mean()) for percentile in self.limits}
        return {
            **at,
            "mean": float(regret.mean()),
            "error": _error(regret.mean(axis=0)),
            "spread": float(regret.std()),
            "gap": float(own["gap"].mean()),
            "proposals": float(own["proposals"].sum() / own["queries"].sum()),
            "short": int((own["queries"] < min(self.queries, own["queries"].max())).sum()),
            "over": int(own["over"].sum()),
            "seconds": float(own["seconds"].mean()),
        }

    def against(self, name: str) -> dict[str, float]:
        """What a search has more regret than our default."""
        more = self.outcomes[name]["regret"] - self.outcomes[DEFAULT]["regret"]
        return {
            "more": float(more.mean()),
            "by_seeds": _error(more.mean(axis=0)),
            "by_problems": _error(more.mean(axis=1)),
            "problems": int((more.mean(axis=1) > 0).sum()),
        }

    @property
    def limits(self) -> list[float]:
        """The percentiles."""
        return sorted(set(self.percentile.tolist()))

    def to_json(self) -> dict[str, object]:
        """Everything that is printed."""
        others = [name for name in self.outcomes if name != DEFAULT and DEFAULT in self.outcomes]
        return {
            "title": self.title,
            "floor": float(self.floor.mean()),
            "searches": {name: self.row(name) for name in self.outcomes},
            "against": {name: self.against(name) for name in others},
        }

    def text(self) -> str:
        """For the screen."""
        at = "".join(f"{f'{percentile:g}th':>8}" for percentile in self.limits)
        lines = [
            f"{self.title}, {self.queries} queries",
            *_HEADINGS,
            f"{'':16}{at}{'mean':>18}{'spread':>8}{'searched':>10}{'proposals':>11}{'short':>7}{'s':>7}",
            *(self._line(name) for name in self.outcomes),
            self._floor_line(),
        ]
        return "\n".join([*lines, *self._verdict()])

    def _line(self, name: str) -> str:
        row = self.row(name)
        at = "".join(f"{row[f'p{percentile:g}']:8.3f}" for percentile in self.limits)
        return (
            f"{name:16}{at}{row['mean']:10.3f} +- {row['error']:.3f}{row['spread']:8.3f}{row['gap']:10.3f}"
            f"{row['proposals']:11.2f}{row['short']:7.0f}{row['seconds']:7.1f}"
        )

    def _floor_line(self) -> str:
        at = "".join(f"{self.floor[self.percentile == percentile].mean():8.3f}" for percentile in self.limits)
        return f"{'floor':16}{at}{self.floor.mean():10.3f}  (the best cell by the score that is searched)"

    def _verdict(self) -> list[str]:
        if DEFAULT not in self.outcomes:
            return []
        lines = [f"More regret than {DEFAULT}, paired; standard error over seeds, over problems; problems with more:"]
        for name in self.outcomes:
            if name != DEFAULT:
                than = self.against(name)
                errors = ", ".join(f"+- {than[by]:.3f} ({_ratio(than['more'], than[by])})" for by in _ERRORS)
                lines.append(f"{name:16}{than['more']:8.3f}  {errors}  {than['problems']:.0f} of {len(self.floor)}")
        beaten = [name for name in PEERS if name in self.outcomes and self.against(name)["more"] > 0]
        compared = [name for name in PEERS if name in self.outcomes]
        over = sum(int(outcome["over"].sum()) for outcome in self.outcomes.values())
        lines.append(
            f"{DEFAULT} beats {len(beaten)} of {len(compared)} peers on mean regret: {', '.join(beaten) or 'none'}"
        )
        lines.append(f"networks above the limit that our strategies proposed: {over}")
        return lines


_ERRORS = ("by_seeds", "by_problems")


def _error(means: Array) -> float:
    """Standard error of the mean of independent observations; NaN of a single one."""
    return float(means.std(ddof=1) / len(means) ** 0.5) if len(means) > 1 else float("nan")


def _ratio(mean: float, error: float) -> str:
    return f"{mean / error:.1f} errors" if error > 0 else "no error known"
