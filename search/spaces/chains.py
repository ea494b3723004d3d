"""What spaces of chains have in common: stages of units, and a classifier at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from devices import WrongUse
from latency import Shape, Workload, operator_of
from search.spaces.space import Candidate, Space, Unit

Candidates = Callable[[Shape, int, int], tuple[Candidate, ...]]
"""The candidates of a unit: for the shape that it reads, the channels that it writes, and its stride."""


@dataclass(frozen=True)
class Stage:
    """Units of equal width. Only the first has the stride."""

    channels: int
    units: int
    stride: int


def stage_units(stages: Sequence[Stage], source: Shape, candidates: Candidates) -> tuple[Unit, ...]:
    """The units of all stages in order, named by stage and place, both counted from 1.

    Args:
        stages: widths, depths and strides.
        source: shape that the first unit reads.
        candidates: makes those of each unit.
    """
    units, shape = list[Unit](), source
    for number, stage in enumerate(stages, 1):
        for index in range(stage.units):
            stride = stage.stride if index == 0 else 1
            unit = Unit(f"stage {number}.{index + 1}", candidates(shape, stage.channels, stride))
            units.append(unit)
            shape = written_by(unit.candidates[0], shape)
    return tuple(units)


def written_by(candidate: Candidate, source: Shape) -> Shape:
    """The shape that a row of layers writes: that which it reads where there are none."""
    return output_of(candidate.workloads[-1]) if candidate.workloads else source


def output_of(workload: Workload) -> Shape:
    """Channels, height and width of what ``workload`` writes."""
    return operator_of(workload).output(workload)


def classifying(
    name: str,
    image: tuple[int, int],
    stem: tuple[Workload, ...],
    units: tuple[Unit, ...],
    head: tuple[Workload, ...],
    classifier: Workload,
    reference: str,
) -> Space:
    """A space of chains that end with a classifier.

    Args:
        name: its name.
        image: height and width of the input.
        stem: before the first unit.
        units: in order.
        head: after the last unit.
        classifier: reads what the head writes.
        reference: name of the candidate that the reference network has in every unit.
    """
    classes = output_of(classifier)[0]
    picks = tuple(unit.names.index(reference) for unit in units)
    return Space(name, image, classes, stem, units, head, None, classifier, picks)


def refuse_small(name: str, input_size: tuple[int, int], classes: int, least: int) -> None:
    """Make sure that there are pixels and classes enough.

    Raises:
        WrongUse: a side of the input is below ``least`` pixels, or there is no class.
    """
    if min(input_size) < least or classes < 1:
        raise WrongUse(
            f"{name} needs an input of at least {least}x{least} pixels and at least 1 class; "
            f"got {input_size[0]}x{input_size[1]} and {classes}."
        )
