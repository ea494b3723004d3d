"""Stages of units, and the classifier at their end."""

from __future__ import annotations

import pytest

from devices import WrongUse
from latency import Shape, Workload
from search import Candidate
from search.spaces import Stage, classifying, output_of, stage_units
from search.spaces.chains import refuse_small, written_by
from tests.contracts.examples import block


def plain(source: Shape, channels: int, stride: int) -> tuple[Candidate, ...]:
    attributes = {"channels": channels, "kernel": 3, "stride": stride}
    return (Candidate("plain", (Workload("convolution", (source,), attributes),)),)


def test_only_the_first_unit_of_a_stage_has_its_stride_and_each_reads_the_one_before() -> None:
    units = stage_units([Stage(8, 2, 2), Stage(12, 1, 1)], (3, 16, 16), plain)
    workloads = [unit.candidates[0].workload for unit in units]
    assert [unit.name for unit in units] == ["stage 1.1", "stage 1.2", "stage 2.1"]
    assert [w.inputs[0] for w in workloads] == [(3, 16, 16), (8, 8, 8), (8, 8, 8)]
    assert [(w.attributes["channels"], w.attributes["stride"]) for w in workloads] == [(8, 2), (8, 1), (12, 1)]


def test_a_candidate_of_no_workload_writes_what_it_reads() -> None:
    assert written_by(Candidate("none", ()), (4, 5, 6)) == (4, 5, 6)
    assert written_by(Candidate("two", (block(), block(12))), (8, 8, 8)) == (12, 8, 8)


def test_a_space_that_classifies_has_no_tap_and_as_many_classes_as_its_classifier() -> None:
    units = stage_units([Stage(8, 2, 2)], (3, 16, 16), plain)
    head = Workload("classifier", (output_of(units[-1].candidates[0].workload),), {"classes": 7, "pool": 1})
    space = classifying("plain", (16, 16), (), units, (), head, "plain")
    assert (space.tap, space.classes, space.reference) == (None, 7, (0, 0))


@pytest.mark.parametrize(("size", "classes"), [((31, 64), 2), ((64, 31), 2), ((64, 64), 0)])
def test_too_small_an_input_and_no_class_are_refused(size: tuple[int, int], classes: int) -> None:
    with pytest.raises(WrongUse, match=f"at least 32x32 pixels and at least 1 class; got {size[0]}x{size[1]} and"):
        refuse_small("plain", size, classes, 32)
    refuse_small("plain", (32, 32), 1, 32)
