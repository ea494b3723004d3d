"""The tables and the plot of camvid.py."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np
import numpy.typing as npt

from benchmarks.camvid_record import BEST_OF_RANDOM, BY_HAND, BY_LATENCY, CONTENDERS, RANDOM, Entry
from devices import NotAvailable

Array: TypeAlias = npt.NDArray[np.float64]

OTHERS = (BEST_OF_RANDOM, RANDOM, BY_HAND)
"""Contenders that every search is compared with."""


@final
@dataclass(frozen=True, eq=False)
class Paired:
    """A contender's figures minus another's with the same seed.

    Attributes:
        first: the one.
        second: the other.
        differences: by seed, shape (n,).
    """

    first: str
    second: str
    differences: Array

    @property
    def mean(self) -> float:
        """Over seeds; NaN without any."""
        return float(self.differences.mean()) if len(self.differences) else float("nan")

    @property
    def spread(self) -> float:
        """Standard deviation over seeds; NaN of fewer than two."""
        return float(self.differences.std(ddof=1)) if len(self.differences) > 1 else float("nan")

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        return self.spread / math.sqrt(max(1, len(self.differences)))

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the mean by Student's law."""
        from scipy.stats import t

        half = float(t.ppf(0.975, max(1, len(self.differences) - 1))) * self.error
        return self.mean - half, self.mean + half


@final
@dataclass(frozen=True)
class Shown:
    """Everything that was found.

    Attributes:
        entries: all networks.
        limit_s: that they had to measure within, in seconds.
        heading: lines that say what was compared, and on what.
        asked: what decides the outcome of a run.
    """

    entries: tuple[Entry, ...]
    limit_s: float
    heading: tuple[str, ...]
    asked: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Every network of every seed."""
        return {"asked": self.asked, "limit_s": self.limit_s, "entries": [asdict(each) for each in self.entries]}

    def text(self) -> str:
        """For the screen."""
        return "\n".join([*self.heading, "", *self._table(), "", *self._pairs(), "", *self._networks()])

    def of(self, contender: str) -> list[Entry]:
        """A contender's networks, one for each seed."""
        return [each for each in self.entries if each.contender == contender]

    def paired(self, first: str, second: str, what: str) -> Paired:
        """Differences over the seeds that both have.

        Args:
            first: a contender.
            second: another.
            what: ``miou``, in points; ``time`` or ``macs``, in percent of the second's.
        """
        others = {each.seed: each for each in self.of(second)}
        pairs = [(each, others[each.seed]) for each in self.of(first) if each.seed in others]
        if what == "miou":
            found = [100 * (one.miou - other.miou) for one, other in pairs]
        else:
            found = [100 * (_amount(one, what) / _amount(other, what) - 1) for one, other in pairs]
        return Paired(first, second, np.array(found, dtype=np.float64))

    def _table(self) -> Iterator[str]:
        yield "Mean and standard deviation over seeds; time is that of the whole network."
        yield f"{'':18}{'test mIoU, %':>16}{'M MACs':>16}{'predicted, ms':>18}{'measured, ms':>18}{'searches':>10}"
        for name in CONTENDERS:
            entries = self.of(name)
            if not entries:
                yield f"{name:18}{'none measures within the limit':>32}"
                continue
            cells = [
                _spread([100 * each.miou for each in entries], 16, 2),
                _spread([each.macs / 1e6 for each in entries], 16, 2),
                _spread([1e3 * each.predicted.mean_s for each in entries], 18, 3),
                _spread([1e3 * each.measured.mean_s for each in entries], 18, 3),
            ]
            searches = sum(each.tries for each in entries) / len(entries)
            yield f"{name:18}{''.join(cells)}{searches:10.1f}"
        yield "searches: of the searched ones; of the others, networks that were measured until one fitted."

    def _pairs(self) -> Iterator[str]:
        yield "Differences between networks of the same seed: mean and its standard error [95 % by Student's law]"
        yield f"{'':38}{'test mIoU, points':>34}{'measured time, %':>20}{'MACs, %':>18}"
        for first, rival in BY_LATENCY.items():
            for second in (rival, *OTHERS):
                if self.of(first) and self.of(second):
                    yield self._pair(first, second)
        for first, rival in BY_LATENCY.items():
            yield from self._verdict(first, rival)

    def _pair(self, first: str, second: str) -> str:
        miou, time, macs = (self.paired(first, second, what) for what in ("miou", "time", "macs"))
        low, high = miou.interval
        gain = f"{_plus_minus(miou)} [{low:+.2f}, {high:+.2f}]"
        return f"{f'{first} minus {second}':38}{gain:>34}{_plus_minus(time):>20}{_plus_minus(macs):>18}"

    def _verdict(self, first: str, second: str) -> Iterator[str]:
        """Whether a search gains by a limit on latency."""
        miou = self.paired(first, second, "miou")
        if len(miou.differences) < 2:
            yield f"{first} against {second}: a spread needs both searches with 2 seeds or more."
            return
        seeds = ", ".join(f"{value:+.2f}" for value in miou.differences)
        yield f"{first} minus {second} by seed, points: {seeds}; standard deviation {miou.spread:.2f}"
        low, high = miou.interval
        sure = "0 is outside the 95 % interval" if low > 0 or high < 0 else "0 is inside the 95 % interval"
        if miou.mean > miou.spread:
            yield f"Target met: the limit on latency gains more than the spread over seeds; {sure}."
        else:
            which = "less than the spread over seeds" if miou.mean >= 0 else "nothing"
            yield f"Target not met: the limit on latency gains {which}; {sure}."

    def _networks(self) -> Iterator[str]:
        yield "Networks, as they were measured together:"
        for each in self.entries:
            took, promised = each.measured, each.predicted.mean_s
            over = "" if took.mean_s <= self.limit_s else f", {took.mean_s / self.limit_s - 1:.1%} over the limit"
            yield (
                f"{each.contender}, seed {each.seed}: {100 * each.miou:.2f} %, {each.macs / 1e6:.2f} M MACs, "
                f"{1e3 * took.mean_s:.3f} ms ({1e3 * took.low_s:.3f} to {1e3 * took.high_s:.3f}){over}, "
                f"{promised / took.mean_s - 1:+.1%} predicted"
            )
            named = each.space if each.contender == BY_HAND else " ".join(each.architecture)
            yield f"    {named}"

    def draw(self, path: Path) -> None:
        """Test mIoU against measured latency: each network, and each contender's mean with its spread.

        Raises:
            NotAvailable: matplotlib is not installed.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise NotAvailable("The plot needs matplotlib: pip install 'paceline[report]'.") from error
        figure = Figure(figsize=(7.5, 5), layout="constrained")
        axes = figure.subplots()
        for place, name in enumerate(CONTENDERS):
            entries = self.of(name)
            if not entries:
                continue
            times, scores = _columns(entries)
            label = f"{name}: {scores.mean():.1f} %"
            axes.plot(times, scores, _MARKERS[place], color=f"C{place}", alpha=0.4, markersize=5)
            axes.errorbar(
                times.mean(),
                scores.mean(),
                xerr=_deviation(times),
                yerr=_deviation(scores),
                fmt=_MARKERS[place],
                color=f"C{place}",
                markersize=9,
                capsize=3,
                label=label,
            )
        axes.axvline(1e3 * self.limit_s, color="0.4", linestyle="--", linewidth=1, label="limit")
        axes.set_xlabel("measured latency of the whole network, ms")
        axes.set_ylabel("test mIoU, %")
        axes.grid(color="0.9")
        axes.legend(fontsize=8)
        axes.set_title(self.heading[0], fontsize=9)
        figure.savefig(path, dpi=120)


_MARKERS = ("o", "s", "P", "X", "^", "v", "D")


def _columns(entries: Sequence[Entry]) -> tuple[Array, Array]:
    """Measured milliseconds and mIoU in percent."""
    times = np.array([1e3 * each.measured.mean_s for each in entries])
    return times, np.array([100 * each.miou for each in entries])


def _amount(entry: Entry, what: str) -> float:
    return entry.measured.mean_s if what == "time" else float(entry.macs)


def _deviation(values: Array) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def _spread(values: Sequence[float], width: int, digits: int) -> str:
    found = np.array(values)
    return f"{f'{found.mean():.{digits}f} +-{_deviation(found):.{digits}f}':>{width}}"


def _plus_minus(of: Paired) -> str:
    return f"{of.mean:+.2f} +-{of.error:.2f}"
