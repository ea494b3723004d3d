"""Predicted against measured latency of whole networks."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paceline.report.drawing import Drawing, draw, place
from paceline.report.palette import INK, MUTED, PAPER, NetworkStyle, network_styles
from paceline.report.wording import decimals_ms, in_ms, limit_ms, percent, shortened
from search import Comparison, Interval, NetworkResult

_SIZE = (660, 484)
_AXES = (64, 14, 414, 414)
_LABEL_LEFT_PX = 492
_LABEL_GAP_PX = 34


def prediction_plot(comparison: Comparison) -> Drawing | None:
    """Measured over predicted latency, the diagonal, and intervals; None where nothing was measured."""
    if not _pairs(comparison.networks) and not _pairs(comparison.reference_networks):
        return None
    return draw("prediction", _SIZE, lambda figure: _paint(figure, comparison), _alternative(comparison))


def prediction_notes(comparison: Comparison) -> tuple[str, ...]:
    """What the plot says in numbers: mean absolute error, bias and the worst network."""
    measured = [*_pairs(comparison.networks), *_pairs(comparison.reference_networks)]
    if not measured:
        return ("No whole network was measured, so how well the table predicts one is not known.",)
    errors = [predicted.mean_s - truth.mean_s for _, predicted, truth in measured]
    shares = [abs(error) / truth.mean_s for error, (_, _, truth) in zip(errors, measured, strict=True)]
    size = in_ms(_mean([abs(error) for error in errors]), decimals_ms(comparison))
    notes = [f"Mean absolute error {size} ({percent(_mean(shares))}) over {_count(len(measured))}."]
    if len(measured) > 1:
        bias = _mean(errors)
        worst = max(range(len(shares)), key=shares.__getitem__)
        direction = "high" if bias > 0 else "low"
        notes.append(f"On average the prediction is {in_ms(abs(bias), decimals_ms(comparison))} too {direction}.")
        notes.append(f"Worst: {measured[worst][0].name}, off by {percent(shares[worst])}.")
    return tuple(notes)


def _pairs(networks: Sequence[NetworkResult]) -> list[tuple[NetworkResult, Interval, Interval]]:
    return [
        (network, network.predicted, network.measured)
        for network in networks
        if network.measured is not None and not math.isnan(network.predicted.mean_s) and network.measured.mean_s > 0
    ]


def _paint(figure: Figure, comparison: Comparison) -> None:
    axes = place(figure, *_AXES)
    low, high = _bounds(comparison)
    axes.set(xlim=(low, high), ylim=(low, high), xlabel="predicted, ms", ylabel="measured, ms")
    axes.plot([low, high], [low, high], color=MUTED, linewidth=1, zorder=1)
    _limits(axes, comparison, high)
    for _, predicted, measured in _pairs(comparison.reference_networks):
        _cross(axes, predicted, measured, "#a9afb8", 0.8)
        axes.plot(predicted.mean_s * 1e3, measured.mean_s * 1e3, "o", color="#8a919c", markersize=4.5, zorder=3)
    styles = dict(zip(map(id, comparison.networks), network_styles(comparison.networks), strict=True))
    searched = [(network, styles[id(network)]) for network, _, _ in _pairs(comparison.networks)]
    for network, style in searched:
        _highlight(axes, network, style)
    _labels(figure, axes, [network for network, _ in searched], decimals_ms(comparison))


def _highlight(axes: Axes, network: NetworkResult, style: NetworkStyle) -> None:
    if network.measured is None:
        return
    _cross(axes, network.predicted, network.measured, style.colour, 1.6)
    x_ms, y_ms = network.predicted.mean_s * 1e3, network.measured.mean_s * 1e3
    axes.plot(x_ms, y_ms, style.marker, color=style.colour, markersize=9, markeredgecolor=PAPER, zorder=5)


def _cross(axes: Axes, predicted: Interval, measured: Interval, colour: str, width: float) -> None:
    x_ms, y_ms = predicted.mean_s * 1e3, measured.mean_s * 1e3
    axes.plot([predicted.low_s * 1e3, predicted.high_s * 1e3], [y_ms, y_ms], color=colour, linewidth=width, zorder=2)
    axes.plot([x_ms, x_ms], [measured.low_s * 1e3, measured.high_s * 1e3], color=colour, linewidth=width, zorder=2)


def _limits(axes: Axes, comparison: Comparison, right_ms: float) -> None:
    limits = {network.limit for network in comparison.networks if network.objective == "latency"}
    for limit_s in sorted(limit for limit in limits if limit is not None):
        axes.axhline(limit_s * 1e3, color=INK, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        axes.annotate(
            f"limit {limit_ms(limit_s)}",
            (right_ms, limit_s * 1e3),
            xytext=(-4, 4),
            textcoords="offset points",
            ha="right",
            fontsize=11,
            color=INK,
        )


def _labels(figure: Figure, axes: Axes, searched: Sequence[NetworkResult], decimals: int) -> None:
    """Names beside the plot with a thin line to each mark, so that close marks keep legible names."""
    _, top, _, height = _AXES
    low, high = axes.get_ylim()
    marks = []
    for network in searched:
        if network.measured is not None:
            y_px = top + height * (high - network.measured.mean_s * 1e3) / (high - low)
            marks.append((y_px, network, network.measured))
    marks.sort(key=lambda mark: mark[0])
    rows = spread([mark[0] for mark in marks], _LABEL_GAP_PX, top + 8, top + height - 20)
    for row_px, (_, network, measured) in zip(rows, marks, strict=True):
        corner = (_LABEL_LEFT_PX / _SIZE[0], 1 - row_px / _SIZE[1])
        axes.annotate(
            shortened(network.name, 21),
            (network.predicted.mean_s * 1e3, measured.mean_s * 1e3),
            xytext=corner,
            textcoords="figure fraction",
            va="center",
            fontweight="bold",
            arrowprops={"arrowstyle": "-", "color": "#a9afb8", "linewidth": 0.8, "shrinkB": 6, "shrinkA": 2},
        )
        time = f"{in_ms(measured.mean_s, decimals)} measured"
        figure.text(corner[0], corner[1] - 15 / _SIZE[1], time, va="center", fontsize=11, color=MUTED)


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places near the wanted ones, which rise, ``gap`` or more apart and, if they fit, in ``low`` to ``high``."""
    found: list[float] = []
    for value in wanted:
        found.append(max(value, found[-1] + gap) if found else max(value, low))
    ceiling = high
    for index in range(len(found) - 1, -1, -1):
        found[index] = min(found[index], ceiling)
        ceiling = found[index] - gap
    return found


def _bounds(comparison: Comparison) -> tuple[float, float]:
    ends = []
    for _, predicted, measured in [*_pairs(comparison.networks), *_pairs(comparison.reference_networks)]:
        ends += [predicted.low_s, predicted.high_s, measured.low_s, measured.high_s]
    ends += [n.limit for n in comparison.networks if n.objective == "latency" and n.limit is not None]
    low, high = min(ends) * 1e3, max(ends) * 1e3
    margin = 0.06 * (high - low) or 0.05 * high or 1.0
    return low - margin, high + margin


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _count(number: int) -> str:
    return "1 network" if number == 1 else f"{number} networks"


def _alternative(comparison: Comparison) -> str:
    decimals = decimals_ms(comparison)
    said = [
        f"{network.name}: predicted {in_ms(predicted.mean_s, decimals)}, measured {in_ms(measured.mean_s, decimals)}"
        for network, predicted, measured in _pairs(comparison.networks)
    ]
    notes = " ".join(prediction_notes(comparison))
    return f"Scatter plot of predicted against measured latency. {'; '.join(said)}. {notes}"
