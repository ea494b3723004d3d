"""MACs against latency of every candidate: what the table knows that MACs do not."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from paceline.report.blocks import SKIP, family, read_block
from paceline.report.drawing import Drawing, draw, place
from paceline.report.palette import FAMILY_COLOURS, INK, MUTED, PAPER, family_colour
from paceline.report.wording import grouped, in_ms, millions
from search import Comparison

# Candidates within this share of each other's MACs count as equal in MACs for the example beside the plot:
# less than a MAC-guided search can make use of, and enough for a space of a few hundred to hold such pairs.
EQUAL_MACS = 0.03

_SIZE = (660, 470)
_AXES = (64, 14, 560, 400)


@dataclass(frozen=True)
class _Point:
    unit: str
    name: str
    macs: int
    latency_s: float

    @property
    def said(self) -> str:
        return f"{self.name} in {'unit ' if self.unit[:1].isdigit() else ''}{self.unit}"


def macs_plot(comparison: Comparison) -> Drawing | None:
    """Latency over MACs on log scales, coloured by kernel and dilation; None where no candidate has both."""
    points = _points(comparison)
    if not points:
        return None
    alternative = (
        f"Scatter plot of MACs against latency of {len(points)} candidates. {' '.join(macs_notes(comparison))}"
    )
    return draw("macs", _SIZE, lambda figure: _paint(figure, points), alternative)


def macs_notes(comparison: Comparison) -> tuple[str, ...]:
    """Rank correlations, the most unlike pair of equal MACs, and what the plot leaves out."""
    notes = [
        _correlation(comparison),
    ]
    pair = _most_unlike(_points(comparison))
    if pair is not None:
        fast, slow = pair
        notes.append(
            f"Widest gap at equal MACs: {fast.said} and {slow.said} both cost about {millions(slow.macs)}\u00a0M MACs, "
            f"and take {in_ms(fast.latency_s)} and {in_ms(slow.latency_s)}, "
            f"{grouped(slow.latency_s / fast.latency_s, 1)} times as long."
        )
    free = sum(macs == 0 or value == 0 for _, _, macs, value in _all(comparison))
    if free:
        notes.append(f"Not drawn: {free} candidates that cost nothing (identity skips at 0,\u00a00).")
    return tuple(notes)


def _correlation(comparison: Comparison) -> str:
    known = comparison.rank_correlation or {}
    if not known:
        return "The rank correlation of MACs and latency was not computed."
    said = ", ".join(f"{grouped(rho, 2)} over {what}" for what, rho in known.items())
    return f"Spearman rank correlation of MACs and latency: {said}."


def _all(comparison: Comparison) -> Iterator[tuple[str, str, int, float]]:
    rows = zip(comparison.unit_names, comparison.candidates, comparison.macs, comparison.latency_s, strict=True)
    for unit, names, macs, latency_s in rows:
        for name, count, value in zip(names, macs, latency_s, strict=True):
            yield unit, name, count, value


def _points(comparison: Comparison) -> list[_Point]:
    return [_Point(*cell) for cell in _all(comparison) if cell[2] > 0 and cell[3] > 0]


def _most_unlike(points: Sequence[_Point]) -> tuple[_Point, _Point] | None:
    """The pair of equal MACs with the greatest ratio of latencies, faster first."""
    ordered = sorted(points, key=lambda point: point.macs)
    best: tuple[_Point, _Point] | None = None
    ratio = 1.0
    for index, one in enumerate(ordered):
        for other in ordered[index + 1 :]:
            if other.macs > one.macs * (1 + EQUAL_MACS):
                break
            fast, slow = sorted((one, other), key=lambda point: point.latency_s)
            if slow.latency_s / fast.latency_s > ratio:
                ratio, best = slow.latency_s / fast.latency_s, (fast, slow)
    return best


def _paint(figure: Figure, points: Sequence[_Point]) -> None:
    axes = place(figure, *_AXES)
    axes.set(xscale="log", yscale="log", xlabel="million MACs of one candidate", ylabel="latency, ms")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        axis.set_minor_formatter(NullFormatter())
    for kind, grouped_convolution in sorted({_look(point) for point in points}, key=_order):
        chosen = [point for point in points if _look(point) == (kind, grouped_convolution)]
        _scatter(axes, chosen, family_colour(kind), grouped_convolution)
    _ring(axes, points)
    _legend(axes, points)


def _look(point: _Point) -> tuple[str, bool]:
    block = read_block(point.name)
    return family(point.name), block is not None and block.groups > 1


def _order(look: tuple[str, bool]) -> tuple[int, str, bool]:
    """The palette's order, then families that it does not know by name."""
    known = list(FAMILY_COLOURS)
    return (known.index(look[0]) if look[0] in known else len(known), *look)


def _scatter(axes: Axes, points: Sequence[_Point], colour: str, grouped_convolution: bool) -> None:
    axes.plot(
        [point.macs / 1e6 for point in points],
        [point.latency_s * 1e3 for point in points],
        linestyle="none",
        **_mark(colour, grouped_convolution),
    )


def _mark(colour: str, grouped_convolution: bool) -> dict[str, Any]:
    """Filled for dense 1x1 convolutions, open for grouped ones."""
    return {
        "marker": "o",
        "markersize": 6.5,
        "markerfacecolor": PAPER if grouped_convolution else colour,
        "markeredgecolor": colour if grouped_convolution else PAPER,
        "markeredgewidth": 1.8 if grouped_convolution else 0.6,
    }


def _ring(axes: Axes, points: Sequence[_Point]) -> None:
    pair = _most_unlike(points)
    if pair is None:
        return
    macs = [point.macs / 1e6 for point in pair]
    times = [point.latency_s * 1e3 for point in pair]
    axes.plot(macs, times, color=INK, linewidth=1, linestyle=(0, (2, 2)), zorder=4)
    axes.plot(macs, times, "o", markersize=12, markerfacecolor="none", markeredgecolor=INK, zorder=4)
    axes.annotate(
        f"{times[1] / times[0]:.1f} times",
        (macs[0], math.sqrt(times[0] * times[1])),
        xytext=(9, 0),
        textcoords="offset points",
        va="center",
        fontsize=11,
        fontweight="bold",
        bbox={"facecolor": PAPER, "edgecolor": "none", "alpha": 0.85, "pad": 2},
        zorder=6,
    )


def _legend(axes: Axes, points: Sequence[_Point]) -> None:
    entries = []
    for kind, grouped_convolution in sorted({_look(point) for point in points}, key=_order):
        text = kind if kind == SKIP or not grouped_convolution else f"{kind}, grouped"
        mark = _mark(family_colour(kind), grouped_convolution)
        entries.append(Line2D([], [], linestyle="none", label=text, **mark))
    legend = axes.legend(handles=entries, loc="upper left", ncols=2, handletextpad=0.2, columnspacing=1.2)
    for text_artist in legend.get_texts():
        text_artist.set_color(MUTED)
