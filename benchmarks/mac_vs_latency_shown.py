"""The table and the plot of mac_vs_latency.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np
import numpy.typing as npt

from devices import NotAvailable

Array: TypeAlias = npt.NDArray[np.float64]

PERCENTILES = (10, 30, 60)
"""Of the MACs of all networks: the limits."""

CONTROL = "MACs"
"""The device whose time is the number of MACs."""

_FIELDS = ("gained", "seen", "saved", "kept")


@final
@dataclass(frozen=True, eq=False)
class Gains:
    """What a limit on a device's latency gains, each of shape (limits, seeds); exhaustive, of shape (limits,).

    Attributes:
        spearman: rank correlation of MACs with the latency.
        gained: accuracy of B above A's, in percentage points.
        seen: the same of the accuracy that searches see.
        saved: share of A's time that C does not take.
        kept: accuracy of C above A's, in percentage points.
        exhaustive: the four by an exhaustive search.
        average: the same, mean over limits at many percentiles.
    """

    spearman: float
    gained: Array
    seen: Array
    saved: Array
    kept: Array
    exhaustive: Mapping[str, Array]
    average: Mapping[str, float]

    @staticmethod
    def of(spearman: float, searched: Array, exhaustive: Array, many: Array) -> Gains:
        """From arrays whose last axis is the four, in their order."""
        gained, seen, saved, kept = np.moveaxis(searched, -1, 0)
        whole = {name: exhaustive[:, place] for place, name in enumerate(_FIELDS)}
        average = {name: float(many[place]) for place, name in enumerate(_FIELDS)}
        return Gains(spearman, gained, seen, saved, kept, whole, average)

    def to_json(self) -> dict[str, object]:
        """All of it."""
        searched = {name: getattr(self, name).tolist() for name in _FIELDS}
        whole = {name: values.tolist() for name, values in self.exhaustive.items()}
        return {"spearman": self.spearman, **searched, "exhaustive": whole, "average": dict(self.average)}


@final
@dataclass(frozen=True, eq=False)
class Shown:
    """Everything that was found.

    Attributes:
        found: gains by device and by the title of the space; the control is the last of each space.
        alone: rank correlations of FBNet's networks by device.
        seeds: of the searches.
        queries: of a search.
    """

    found: Mapping[str, Mapping[str, Gains]]
    alone: Mapping[str, float]
    seeds: int
    queries: int

    def to_json(self) -> dict[str, object]:
        """Everything that is printed, and every seed."""
        return {
            "percentiles": list(PERCENTILES),
            "seeds": self.seeds,
            "queries": self.queries,
            "spaces": {
                title: {device: gains.to_json() for device, gains in devices.items()}
                for title, devices in self.found.items()
            },
            "fbnet": dict(self.alone),
        }

    def text(self) -> str:
        """For the screen."""
        return "\n\n".join([*(self._space(title) for title in self.found), *self._fbnet()])

    def _space(self, title: str) -> str:
        devices = self.found[title]
        real = [gains for device, gains in devices.items() if device != CONTROL]
        heads = "".join(f"{f'{percentile}th':>22}" for percentile in PERCENTILES)
        lines = [
            title,
            f"{self.queries} queries, {self.seeds} seeds, limits at the {_PERCENTILES} percentile of MACs:",
            _HOW,
        ]
        for field, words in (("gained", "Accuracy gained for the same time, points"), ("saved", "Time saved, %")):
            lines += [words, f"{'':20}{'Spearman':>9}{heads}{'5th to 95th':>14}"]
            lines += [_line(device, [gains], field) for device, gains in devices.items()]
            lines.append(_line("mean of devices", real, field))
        return "\n".join([*lines, *_summary(devices)])

    def _fbnet(self) -> list[str]:
        if not self.alone:
            return []
        ordered = sorted(self.alone.items(), key=lambda item: item[1])
        pairs = [f"{device:16}{value:6.3f}" for device, value in ordered]
        lines = ["    ".join(pairs[first : first + 4]) for first in range(0, len(pairs), 4)]
        return ["\n".join(["FBNet at 32x32: Spearman of MACs with latency", *lines])]

    def draw(self, path: Path) -> None:
        """One row for each device, the ones that MACs tell least of on top: what was gained, and what was saved.

        Raises:
            NotAvailable: matplotlib is not installed.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise NotAvailable(
                "The plot needs matplotlib. pip install 'paceline[report]', or leave --out out."
            ) from error
        counts = [len(devices) for devices in self.found.values()]
        figure = Figure(figsize=(11, 1.8 + 0.32 * sum(counts) + 0.5 * len(counts)), layout="constrained")
        axes = figure.subplots(len(counts), 2, sharey="row", squeeze=False, height_ratios=counts)
        for pair, (title, devices) in zip(axes, self.found.items(), strict=True):
            _draw_space(pair, title, devices)
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(PERCENTILES), fontsize=8)
        figure.suptitle(
            "A limit on latency in place of one on MACs, by device (Spearman of MACs and latency)\n"
            f"filled: searches, mean of {self.seeds} seeds and its standard error; hollow: exhaustive",
            fontsize=10,
        )
        figure.savefig(path, dpi=110)


_PERCENTILES = ", ".join(f"{percentile}th" for percentile in PERCENTILES)
_HOW = "mean +- its standard error over seeds (exhaustive); last column: exhaustive, mean over 19 percentiles."


def _line(name: str, devices: Sequence[Gains], field: str) -> str:
    """For each limit mean and standard error of what the seeds make of the devices, and the exhaustive mean."""
    spearman = float(np.mean([gains.spearman for gains in devices]))
    scale, digits = (100, 1) if field == "saved" else (1, 2)
    # Devices share the searches under MAC limits: a seed's mean over them is one observation.
    seeds = scale * np.mean([getattr(gains, field) for gains in devices], axis=0)
    whole = scale * np.mean([gains.exhaustive[field] for gains in devices], axis=0)
    errors = seeds.std(axis=1, ddof=1) / seeds.shape[1] ** 0.5
    average = scale * float(np.mean([gains.average[field] for gains in devices]))
    cells = "".join(
        f"{mean:9.{digits}f} +-{error:4.{digits}f} ({exhaustive + 0.0:4.{digits}f})"
        for mean, error, exhaustive in zip(seeds.mean(axis=1), errors, whole, strict=True)
    )
    return f"{name:20}{spearman:9.3f}{cells}{average + 0.0:14.{digits}f}"


def _summary(devices: Mapping[str, Gains]) -> Iterator[str]:
    """What C's accuracy is, how often the second search is worse, and how gains hang together with the correlation."""
    real = [gains for device, gains in devices.items() if device != CONTROL]
    yield f"Accuracy of what saves the time, above A's, points: {np.mean([gains.kept for gains in real]):.2f}"
    for name, words in (("seen", "that it searched on"), ("gained", "that is told")):
        worse = float(np.mean([getattr(gains, name) < 0 for gains in real]))
        yield f"Searches under the limit on time that end below A in the accuracy {words}: {worse:.0%}"
    if len(real) > 2:
        from scipy.stats import spearmanr

        rho = [gains.spearman for gains in real]
        gained, saved = (
            spearmanr(rho, [getattr(gains, field).mean() for gains in real]).statistic for field in ("gained", "saved")
        )
        words = "Over devices, Spearman of that correlation with"
        yield f"{words} accuracy gained {gained:.2f}, with time saved {saved:.2f}"


def _draw_space(axes: Any, title: str, devices: Mapping[str, Gains]) -> None:
    rows = np.arange(len(devices))[::-1]
    words = {"gained": "accuracy gained for the same time, points", "saved": "time saved at no less accuracy, %"}
    for axis, (field, heading) in zip(axes, words.items(), strict=True):
        scale = 100 if field == "saved" else 1
        for place, percentile in enumerate(PERCENTILES):
            seeds = scale * np.array([getattr(gains, field)[place] for gains in devices.values()])
            whole = scale * np.array([gains.exhaustive[field][place] for gains in devices.values()])
            errors = seeds.std(axis=1, ddof=1) / seeds.shape[1] ** 0.5
            at, colour = rows + 0.22 * (1 - place), f"C{place}"
            axis.errorbar(
                seeds.mean(axis=1),
                at,
                xerr=errors,
                fmt="o",
                color=colour,
                markersize=4,
                elinewidth=1,
                label=f"limit at the {percentile}th percentile of MACs",
            )
            axis.plot(whole, at, "o", markerfacecolor="none", color=colour, markersize=6, markeredgewidth=0.8)
        axis.axvline(0, color="0.6", linewidth=0.8)
        axis.grid(axis="x", color="0.9")
        axis.set_xlabel(heading, fontsize=9)
    names = [f"{device}  ({gains.spearman:.2f})" for device, gains in devices.items()]
    axes[0].set_yticks(rows, names, fontsize=8)
    axes[0].set_title(title, fontsize=9, loc="left")
