"""A space that does not fit together is refused, with where and why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from devices import WrongUse
from search import SPACES, Candidate, Space, Unit, open_space
from search.spaces import refuse_inconsistent
from tests.contracts.examples import block


@pytest.mark.parametrize("name", SPACES)
def test_spaces_that_ship_fit_together(name: str) -> None:
    refuse_inconsistent(open_space(name))


@pytest.mark.parametrize("name", SPACES)
def test_spaces_that_ship_refuse_an_input_that_is_too_small(name: str) -> None:
    with pytest.raises(WrongUse, match=f"{name} needs an input of at least"):
        open_space(name, (1, 64))


def with_candidate(space: Space, candidate: Candidate, unit: int = 1) -> Space:
    units = list(space.units)
    units[unit] = Unit(units[unit].name, (*units[unit].candidates, candidate))
    return replace(space, units=tuple(units))


def fitting(space: Space, unit: int = 1) -> Candidate:
    return space.units[unit].candidates[0]


def test_a_name_that_occurs_twice_is_refused(tiny: Space) -> None:
    with pytest.raises(WrongUse, match=r"stage 2.1 need different names; 'k3e1g1' occurs twice"):
        refuse_inconsistent(with_candidate(tiny, fitting(tiny)))


@pytest.mark.parametrize("name", ["", "a b", "a|b"])
def test_a_name_that_cannot_be_typed_is_refused(tiny: Space, name: str) -> None:
    with pytest.raises(WrongUse, match=r"without spaces and '\|'"):
        refuse_inconsistent(with_candidate(tiny, replace(fitting(tiny), name=name)))


def test_a_candidate_that_reads_another_shape_is_refused(tiny: Space) -> None:
    with pytest.raises(WrongUse, match=r"inverted_residual in odd of stage 2.1 reads .* where it is given"):
        refuse_inconsistent(with_candidate(tiny, Candidate("odd", (block(),))))


def test_a_candidate_that_writes_another_shape_is_refused(tiny: Space) -> None:
    first = fitting(tiny).workload
    wider = replace(first, attributes={**first.attributes, "channels": 12})
    with pytest.raises(WrongUse, match=r"must write the same shape; k3e1g1 writes .* and wide writes"):
        refuse_inconsistent(with_candidate(tiny, Candidate("wide", (wider,))))


def test_workloads_of_two_precisions_are_refused(tiny: Space) -> None:
    half = Candidate("half", (replace(fitting(tiny).workload, precision="fp16"),))
    with pytest.raises(WrongUse, match="one precision and batch"):
        refuse_inconsistent(with_candidate(tiny, half))


def test_an_unknown_operator_is_refused(tiny: Space) -> None:
    odd = Candidate("odd", (replace(fitting(tiny).workload, operator="inverted_residuals"),))
    with pytest.raises(WrongUse, match="no operator 'inverted_residuals'"):
        refuse_inconsistent(with_candidate(tiny, odd))


@pytest.mark.parametrize("picks", [(0, 0, 0), (0, 0, 0, 13), (0, 0, 0, -1)])
def test_a_reference_that_is_no_network_is_refused(tiny: Space, picks: tuple[int, ...]) -> None:
    with pytest.raises(WrongUse, match="picks a candidate for each of its 4 units"):
        refuse_inconsistent(replace(tiny, reference=picks))


@pytest.mark.parametrize("tap", [-1, 4])
def test_a_tap_that_is_no_unit_is_refused(tiny: Space, tap: int) -> None:
    with pytest.raises(WrongUse, match=f"one of its 4 units, counted from 0; got {tap}"):
        refuse_inconsistent(replace(tiny, tap=tap))


def test_a_decoder_that_reads_something_else_is_refused(tiny: Space) -> None:
    with pytest.raises(WrongUse, match="The decoder reads"):
        refuse_inconsistent(replace(tiny, tap=2))


def test_a_space_without_units_and_a_unit_without_candidates_are_refused(tiny: Space) -> None:
    with pytest.raises(WrongUse, match="has no units"):
        refuse_inconsistent(replace(tiny, units=(), reference=()))
    with pytest.raises(WrongUse, match="bare has no candidates"):
        refuse_inconsistent(replace(tiny, units=(*tiny.units, Unit("bare", ()))))
