"""The searched networks drawn: one row each, one box for each unit."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from paceline.report.blocks import Block, columns, family, read_block, short_unit, stages
from paceline.report.drawing import Drawing, draw, place
from paceline.report.palette import INK, MUTED, PAPER, RULE, NetworkStyle, family_colour, network_styles
from paceline.report.wording import MISSING, decimals_ms, grouped, in_ms, millions, shortened
from search import Comparison, NetworkResult

# The row of boxes fills the page, unless the boxes became too narrow for their text or absurdly wide.
_PAGE_PX, _NARROWEST_PX, _WIDEST_PX = 1000, 42, 64
_SIDE_PX, _TOP_PX, _BOTTOM_PX = 6, 48, 40
_ROW_PX = 150
# Room for the legend and the names where the units are few.
_LEAST_WIDTH_PX = 600
# In rows: where the boxes stand, how tall the tallest is, and the part of it that an expansion of 0 would have.
_BASE, _TALLEST, _LEAST = 0.82, 0.56, 0.32
_BOX_WIDTH = 0.82


def architecture_plot(comparison: Comparison) -> Drawing | None:
    """Boxes as tall as the expansion and coloured by kernel and dilation; None without networks."""
    units = len(comparison.unit_names)
    if not comparison.own_networks or not units:
        return None
    unit_px = min(_WIDEST_PX, max(_NARROWEST_PX, (_PAGE_PX - 2 * _SIDE_PX) // units))
    width = max(_LEAST_WIDTH_PX, 2 * _SIDE_PX + units * unit_px)
    size = (width, _TOP_PX + len(comparison.own_networks) * _ROW_PX + _BOTTOM_PX)
    said = "; ".join(f"{network.name}: {' '.join(network.architecture)}" for network in comparison.own_networks)
    return draw("architectures", size, lambda figure: _paint(figure, comparison, unit_px), f"Architectures. {said}.")


def _paint(figure: Figure, comparison: Comparison, unit_px: int) -> None:
    units, rows = len(comparison.unit_names), len(comparison.own_networks)
    axes = place(figure, _SIDE_PX, _TOP_PX, units * unit_px, rows * _ROW_PX)
    axes.set(xlim=(0, units), ylim=(rows, 0))
    axes.axis("off")
    _unit_names(axes, comparison)
    _stage_names(axes, comparison)
    styles = network_styles(comparison.own_networks)
    for row, (network, style) in enumerate(zip(comparison.own_networks, styles, strict=True)):
        _name(axes, row, network, style, decimals_ms(comparison))
        _boxes(axes, row, network, comparison)
    _legend(figure, comparison)


def _unit_names(axes: Axes, comparison: Comparison) -> None:
    for unit, name in enumerate(comparison.unit_names):
        axes.text(
            unit + 0.5, -6 / _ROW_PX, shortened(short_unit(name), 7), ha="center", va="bottom", fontsize=10, color=MUTED
        )


def _stage_names(axes: Axes, comparison: Comparison) -> None:
    for stage in stages(comparison.unit_names):
        middle = (stage.first + stage.last + 1) / 2
        name = f"stage {stage.name}" if stage.name.isdigit() else stage.name
        axes.text(middle, -24 / _ROW_PX, name, ha="center", va="bottom", fontsize=11, color=MUTED)


def _name(axes: Axes, row: int, network: NetworkResult, style: NetworkStyle, decimals: int) -> None:
    axes.plot(0.2, row + 0.14, style.marker, color=style.colour, markersize=8, clip_on=False)
    name = axes.text(0.44, row + 0.14, shortened(network.name, 60), va="center", fontsize=13, fontweight="bold")
    said = f"{in_ms(network.predicted.mean_s, decimals)} predicted, {millions(network.macs)}\u00a0M MACs"
    # In data coordinates of the name itself, so that a long name moves it aside.
    axes.annotate(said, (1, 0.5), xycoords=name, xytext=(10, 0), textcoords="offset points", va="center", color=MUTED)


def _boxes(axes: Axes, row: int, network: NetworkResult, comparison: Comparison) -> None:
    axes.plot([0, len(comparison.unit_names)], [row + _BASE] * 2, color=RULE, linewidth=1, zorder=0)
    for stage in stages(comparison.unit_names)[1:]:
        axes.plot([stage.first] * 2, [row + 0.24, row + 0.95], color=RULE, linewidth=1.2, zorder=0)
    tallest = _largest_expansion(comparison)
    for unit, pick in enumerate(network.architecture):
        _box(axes, unit, row, pick, tallest)
        cost = _cost(comparison, unit, pick)
        axes.text(unit + 0.5, row + _BASE + 0.07, cost, ha="center", va="center", fontsize=10, color=MUTED)


def _box(axes: Axes, unit: int, row: int, pick: str, tallest: int) -> None:
    block = read_block(pick)
    height = _TALLEST * (_LEAST + (1 - _LEAST) * block.expansion / tallest if block else _LEAST)
    corner = (unit + (1 - _BOX_WIDTH) / 2, row + _BASE - height)
    for patch in _patches(corner, height, block):
        axes.add_artist(patch)
    text = axes.text(unit + 0.5, row + _BASE - height / 2, _caption(pick, block), ha="center", va="center", fontsize=10)
    text.set_linespacing(1.15)
    if block is not None and block.groups > 1:
        text.set_bbox({"facecolor": family_colour(block.family), "edgecolor": "none", "pad": 1.5})


def _patches(corner: tuple[float, float], height: float, block: Block | None) -> list[Rectangle]:
    """A filled box, hatched for grouped convolutions; an empty dashed outline for a skip.

    A hatch takes the colour of the edge, so the dark edge is a patch of its own.
    """
    if block is None:
        return [
            Rectangle(corner, _BOX_WIDTH, height, facecolor="none", edgecolor=MUTED, linewidth=1, linestyle=(0, (3, 2)))
        ]
    hatch = "///" if block.groups > 1 else None
    colour = family_colour(block.family)
    fill = Rectangle(corner, _BOX_WIDTH, height, facecolor=colour, edgecolor=PAPER, linewidth=0, hatch=hatch)
    return [fill, Rectangle(corner, _BOX_WIDTH, height, facecolor="none", edgecolor=INK, linewidth=0.8)]


def _caption(pick: str, block: Block | None) -> str:
    return shortened(pick, 6) if block is None else f"{block.family.replace(' ', '')}\ne{block.expansion}"


def _cost(comparison: Comparison, unit: int, pick: str) -> str:
    offered = comparison.candidates[unit]
    value = comparison.latency_s[unit][offered.index(pick)] if pick in offered else math.nan
    if math.isnan(value):
        return MISSING
    return "0" if value == 0 else grouped(value * 1e3, 2)


def _largest_expansion(comparison: Comparison) -> int:
    names = [
        *columns(comparison.candidates),
        *(pick for network in comparison.own_networks for pick in network.architecture),
    ]
    return max((block.expansion for block in map(read_block, names) if block is not None), default=1)


def _legend(figure: Figure, comparison: Comparison) -> None:
    picked = [pick for network in comparison.own_networks for pick in network.architecture]
    blocks = [block for block in map(read_block, picked) if block is not None]
    entries = [
        Patch(facecolor=family_colour(kind), edgecolor=INK, linewidth=0.8, label=_in_words(kind))
        for kind in sorted({block.family for block in blocks})
    ]
    if any(block.groups > 1 for block in blocks):
        entries.append(Patch(facecolor="#8e96a1", edgecolor=PAPER, hatch="///", label="grouped 1\u00d71 convolutions"))
    if any(family(pick) == "skip" for pick in picked):
        entries.append(Patch(facecolor="none", edgecolor=MUTED, linestyle=(0, (3, 2)), label="skip"))
    figure.legend(handles=entries, loc="lower left", ncols=max(1, len(entries)), borderaxespad=0.2, labelcolor=MUTED)


def _in_words(kind: str) -> str:
    kernel, _, dilation = kind.partition(" ")
    size = kernel.removeprefix("k")
    return f"{size}\u00d7{size} kernel" + (f", dilation {dilation.removeprefix('d')}" if dilation else "")
