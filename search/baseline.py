"""The hand-made network that searched ones are held against: MobileNetV2, as wide as a limit lets it be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from devices import NoAnswer, WrongUse
from search.cost import format_cost
from search.spaces import Architecture, Space, mobilenetv2_name, open_space

BY_HAND = "by hand"
"""The strategy of a network that nobody searched."""

WIDTHS = tuple(step / 20 for step in range(2, 29))
"""Widths to choose from: 0.1 to 1.4, the paper's widest, in steps of 0.05."""

Cost = Callable[[Space, Architecture], float]
"""What a network costs: seconds, MACs, whatever the limit is in."""


@dataclass(frozen=True)
class Baseline:
    """A hand-made network within a limit.

    Attributes:
        width: multiplies its channels.
        space: its space, which holds nothing else.
        architecture: the network in it.
        cost: in the limit's unit.
    """

    width: float
    space: Space
    architecture: Architecture
    cost: float


def mobilenetv2_of_width(
    width: float, input_size: tuple[int, int], classes: int, precision: str = "fp32"
) -> tuple[Space, Architecture]:
    """MobileNetV2 at a width, with its space.

    Raises:
        WrongUse: there is no such width, or the input is too small.
    """
    space = open_space(mobilenetv2_name(width), input_size, classes, precision)
    return space, Architecture(space.name, space.reference)


def widest_mobilenetv2(
    limit: float,
    cost: Cost,
    input_size: tuple[int, int],
    classes: int,
    precision: str = "fp32",
    objective: str = "latency",
    widths: Sequence[float] = WIDTHS,
) -> Baseline:
    """The widest MobileNetV2 within a limit, found by halving, so that few widths have to be measured.

    Halving takes for granted that a wider network costs more. On a device where that does not hold everywhere, the
    network that comes back is within the limit all the same, but a wider one might be, too.

    Args:
        limit: the most that the network may cost.
        cost: of a network, in the limit's unit.
        input_size: height and width of the input, in pixels.
        classes: number of classes.
        precision: number format of the workloads.
        objective: what the limit is on, one of those that a search can limit.
        widths: to choose from.

    Raises:
        NoAnswer: even the narrowest costs more.
        WrongUse: there is no width, or the input is too small.
    """
    if not widths:
        raise WrongUse("A width is chosen among at least one; got none.")

    def made(width: float) -> Baseline:
        space, architecture = mobilenetv2_of_width(width, input_size, classes, precision)
        return Baseline(width, space, architecture, cost(space, architecture))

    different = _different(sorted(widths))
    found = made(different[0])
    if not found.cost <= limit:
        raise NoAnswer(
            f"No MobileNetV2 is within {format_cost(objective, limit)}: at width {found.width:g}, the narrowest, it "
            f"costs {format_cost(objective, found.cost)}. Raise the limit, or choose a smaller input."
        )
    low, high = 1, len(different)
    while low < high:
        middle = (low + high) // 2
        tried = made(different[middle])
        if tried.cost <= limit:
            found, low = tried, middle + 1
        else:
            high = middle
    return found


def _different(widths: Sequence[float]) -> list[float]:
    """The least of the widths that, once their channels are rounded, are the same network."""
    by_channels = dict[tuple[object, ...], float]()
    for width in widths:
        space, _ = mobilenetv2_of_width(width, (32, 32), 1)
        by_channels.setdefault(space.workloads(), width)
    return list(by_channels.values())
