"""Intersection over union, or accuracy, of each class, as bars for each network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from paceline.report.drawing import Drawing, draw, place
from paceline.report.palette import MUTED, NetworkStyle, network_styles
from paceline.report.wording import grouped, shortened
from search import Comparison

_WIDTH_PX, _LEFT_PX, _RIGHT_PX, _BOTTOM_PX = 820, 130, 60, 40
_BAR_PX, _PAD_PX = 10, 9
_LEGEND_COLUMNS, _LEGEND_ROW_PX = 4, 17

_BY_CLASS = {"mIoU": "intersection over union"}
"""What a score that is a mean over classes is called of one class."""

_Scored = tuple[str, NetworkStyle, Mapping[str, float]]


def class_plot(comparison: Comparison) -> Drawing | None:
    """A group of bars for each class, best class of the first network on top; None where no class was scored."""
    scored = _scored(comparison)
    if not scored:
        return None
    classes = _classes(scored)
    height = _top_px(scored) + len(classes) * _group_px(scored) + _BOTTOM_PX
    said = "; ".join(
        f"{name}: " + ", ".join(f"{label} {grouped(iou[label] * 100, 1)}" for label in classes if label in iou)
        for name, _, iou in scored
    )
    measure = _BY_CLASS.get(comparison.measure, comparison.measure)
    alternative = f"Bars of the {measure} of each class in per cent. {said}."
    return draw("classes", (_WIDTH_PX, height), lambda figure: _paint(figure, scored, classes, measure), alternative)


def _scored(comparison: Comparison) -> list[_Scored]:
    styles = network_styles(comparison.networks)
    return [
        (network.name, style, network.class_iou)
        for network, style in zip(comparison.networks, styles, strict=True)
        if network.class_iou
    ]


def _classes(scored: Sequence[_Scored]) -> list[str]:
    labels = dict.fromkeys(label for _, _, iou in scored for label in iou)
    return sorted(labels, key=lambda label: -scored[0][2].get(label, 0.0))


def _group_px(scored: Sequence[_Scored]) -> int:
    return len(scored) * _BAR_PX + _PAD_PX


def _top_px(scored: Sequence[_Scored]) -> int:
    return 16 + _LEGEND_ROW_PX * math.ceil(len(scored) / _LEGEND_COLUMNS)


def _tint(style: NetworkStyle) -> tuple[float, float, float]:
    """The colour mixed with paper, and not made transparent, as grid lines would show through."""
    red, green, blue = (1 - style.strength * (1 - part) for part in to_rgb(style.colour))
    return red, green, blue


def _paint(figure: Figure, scored: Sequence[_Scored], classes: Sequence[str], measure: str) -> None:
    group = _group_px(scored)
    axes = place(figure, _LEFT_PX, _top_px(scored), _WIDTH_PX - _LEFT_PX - _RIGHT_PX, len(classes) * group)
    axes.set(xlim=(0, 100), ylim=(len(classes) * group, 0), xlabel=f"{measure}, %")
    axes.grid(visible=False, axis="y")
    axes.spines["bottom"].set_visible(False)
    middles = [row * group + group / 2 for row in range(len(classes))]
    axes.set_yticks(middles, [shortened(label, 18) for label in classes])
    for index, (_, style, iou) in enumerate(scored):
        _bars(axes, index, style, [iou.get(label) for label in classes], group)
    handles = [Patch(color=_tint(style), label=shortened(name, 28)) for name, style, _ in scored]
    figure.legend(
        handles=handles, loc="upper left", ncols=min(_LEGEND_COLUMNS, len(handles)), borderaxespad=0.2, handlelength=1.2
    )


def _bars(axes: Axes, index: int, style: NetworkStyle, values: Sequence[float | None], group: int) -> None:
    for row, value in enumerate(values):
        middle = row * group + _PAD_PX / 2 + (index + 0.5) * _BAR_PX
        if value is None:
            axes.text(0.8, middle, "not scored", va="center", fontsize=9, color=MUTED)
            continue
        axes.barh([middle], [value * 100], height=_BAR_PX - 2, color=_tint(style))
        axes.text(value * 100 + 0.8, middle, grouped(value * 100, 1), va="center", fontsize=9, color=MUTED)
