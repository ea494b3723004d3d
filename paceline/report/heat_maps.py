"""Cost of every candidate in every unit: latency beside MACs, with the searched networks' picks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from paceline.report.blocks import columns, stages
from paceline.report.drawing import Drawing, draw, place
from paceline.report.finding import paired
from paceline.report.palette import INK, MUTED, PAPER, network_styles
from paceline.report.wording import MISSING, grouped
from search import Comparison, NetworkResult

# More nested frames than this in a cell of 34 by 24 pixels cannot be told apart, nor the number read.
MOST_MARKED = 2

_CELL_PX = (34, 24)
_LEFT_PX, _TOP_PX, _GAP_PX, _BOTTOM_PX = 74, 96, 22, 8
# Greys, so that the coloured frames stand out; the darkest still carries dark text at a contrast above 4.5.
_SHADES = LinearSegmentedColormap.from_list("cost", ["#f9f9f7", "#cfd3d8", "#8e96a1"])


@dataclass(frozen=True)
class _Panel:
    title: str
    values: tuple[tuple[float, ...], ...]

    def shade(self, value: float) -> float:
        """Where a value lies between the least and the greatest of the panel, on a log scale."""
        known = [item for row in self.values for item in row if item > 0]
        low, high = math.log(min(known)), math.log(max(known))
        return 0.5 if high == low else (math.log(value) - low) / (high - low)


def heat_maps(comparison: Comparison) -> Drawing | None:
    """Two panels of the same layout, a row for each unit, a column for each candidate; None without units."""
    names = columns(comparison.candidates)
    if not names:
        return None
    panel_px = len(names) * _CELL_PX[0]
    size = (
        _LEFT_PX + 2 * panel_px + _GAP_PX + 8,
        _TOP_PX + len(comparison.candidates) * _CELL_PX[1] + _BOTTOM_PX,
    )
    return draw("cost", size, lambda figure: _paint(figure, comparison, names), _alternative(comparison, names))


def marked_networks(comparison: Comparison) -> tuple[NetworkResult, ...]:
    """The networks whose picks are framed: the pair of the headline, or else the first ones."""
    pairs = paired(comparison)
    chosen = (pairs[0].latency, pairs[0].macs) if pairs else comparison.own_networks
    return tuple(chosen[:MOST_MARKED])


def short_number(value: float) -> str:
    """Two significant digits and at most four signs for a cell; zero stays a bare 0 and NaN says that it is missing."""
    if math.isnan(value):
        return MISSING
    if value == 0:
        return "0"
    if abs(value) < 0.01:
        return "<.01"
    rounded = float(f"{value:.1e}")  # 0.996 is 1.0 and not 1.00
    decimals = min(2, max(0, 1 - math.floor(math.log10(abs(rounded)))))
    return grouped(value, decimals).replace(",", "")


def _paint(figure: Figure, comparison: Comparison, names: Sequence[str]) -> None:
    latency = _Panel("Latency, ms", tuple(tuple(value * 1e3 for value in row) for row in comparison.latency_s))
    macs = _Panel("MACs, millions", tuple(tuple(value / 1e6 for value in row) for row in comparison.macs))
    width, height = len(names) * _CELL_PX[0], len(comparison.candidates) * _CELL_PX[1]
    for index, panel in enumerate((latency, macs)):
        axes = place(figure, _LEFT_PX + index * (width + _GAP_PX), _TOP_PX, width, height)
        _frame(axes, comparison, names, panel.title)
        _cells(axes, comparison, names, panel)
        _picks(axes, comparison, names)
        axes.tick_params(axis="y", labelleft=index == 0)


def _frame(axes: Axes, comparison: Comparison, names: Sequence[str], title: str) -> None:
    # The limits are set here and patches are added as artists: add_patch would work out the limits anew for each.
    axes.set(xlim=(0, len(names)), ylim=(len(comparison.candidates), 0))
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.xaxis.set_ticks_position("top")
    axes.set_xticks([column + 0.5 for column in range(len(names))], names, rotation=90, fontsize=10.5, color=INK)
    axes.set_yticks([row + 0.5 for row in range(len(comparison.unit_names))], comparison.unit_names, fontsize=10.5)
    axes.annotate(
        title,
        (0, 0),
        xytext=(0, _TOP_PX - 20),
        textcoords="offset points",
        fontweight="bold",
        fontsize=13,
        annotation_clip=False,
    )
    for stage in stages(comparison.unit_names)[1:]:
        axes.axhline(stage.first, color=MUTED, linewidth=1.2, zorder=3)


def _cells(axes: Axes, comparison: Comparison, names: Sequence[str], panel: _Panel) -> None:
    place_of = {name: column for column, name in enumerate(names)}
    for row, (offered, values) in enumerate(zip(comparison.candidates, panel.values, strict=True)):
        for name, value in zip(offered, values, strict=True):
            _cell(axes, place_of[name], row, value, panel)


def _cell(axes: Axes, column: int, row: int, value: float, panel: _Panel) -> None:
    known = value > 0
    axes.add_artist(
        Rectangle(
            (column, row),
            1,
            1,
            facecolor=_SHADES(panel.shade(value)) if known else PAPER,
            edgecolor=PAPER if known else "#d5d9df",
            linewidth=1,
            hatch="////" if math.isnan(value) else None,
            zorder=1 if known else 0.5,
        )
    )
    axes.text(
        column + 0.5,
        row + 0.54,
        short_number(value),
        ha="center",
        va="center",
        fontsize=7 if math.isnan(value) else 9.5,
        color=INK,
        zorder=4,
    )


def _picks(axes: Axes, comparison: Comparison, names: Sequence[str]) -> None:
    styles = dict(zip(map(id, comparison.networks), network_styles(comparison.networks), strict=True))
    for depth, network in enumerate(marked_networks(comparison)):
        # The second frame lies inside the first, so that a pick they share shows both colours.
        across, down = ((1.5 + 3 * depth) / side for side in _CELL_PX)
        for row, pick in enumerate(network.architecture):
            if pick in names:
                column = names.index(pick)
                corner = (column + across, row + down)
                axes.add_artist(
                    Rectangle(
                        corner,
                        1 - 2 * across,
                        1 - 2 * down,
                        fill=False,
                        edgecolor=styles[id(network)].colour,
                        linewidth=2.4,
                        zorder=5,
                    )
                )


def _alternative(comparison: Comparison, names: Sequence[str]) -> str:
    picks = "; ".join(
        f"{network.name} picks {' '.join(network.architecture)}" for network in marked_networks(comparison)
    )
    return (
        f"Two heat maps of the cost of {len(comparison.candidates)} units by {len(names)} candidates, latency in "
        f"milliseconds on the left and MACs in millions on the right. {picks}."
    )
