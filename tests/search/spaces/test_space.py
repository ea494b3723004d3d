"""A space as plain data: names there and back, networks, counts, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices import WrongUse
from latency import operator_of, parts
from search import Architecture, Space, open_space

PICKS = st.lists(st.integers(0, 12), min_size=4, max_size=4).map(tuple)


@given(picks=PICKS)
def test_names_lead_back_to_the_architecture(tiny: Space, picks: tuple[int, ...]) -> None:
    architecture = Architecture("tiny", picks)
    assert tiny.architecture(tiny.names(architecture)) == architecture


@given(picks=PICKS)
def test_macs_of_a_network_are_those_of_its_parts(tiny: Space, picks: tuple[int, ...]) -> None:
    network = tiny.network(Architecture("tiny", picks))
    assert operator_of(network).macs(network) == tiny.macs[np.arange(4), picks].sum() + tiny.fixed_macs


@given(picks=st.lists(st.integers(0, 12), min_size=20, max_size=20).map(tuple))
@settings(max_examples=20)
def test_macs_add_up_at_full_size(picks: tuple[int, ...]) -> None:
    space = open_space("squeezenas-small")
    network = space.network(Architecture(space.name, picks))
    assert operator_of(network).macs(network) == space.macs[np.arange(20), picks].sum() + space.fixed_macs


@given(picks=PICKS)
def test_a_network_is_made_of_what_the_architecture_lowers_to(tiny: Space, picks: tuple[int, ...]) -> None:
    architecture = Architecture("tiny", picks)
    lowered = tiny.lower(architecture)
    assert parts(tiny.network(architecture)) == lowered
    assert lowered[1:5] == tuple(tiny.grid[unit][pick][0] for unit, pick in enumerate(picks))
    assert (lowered[0], *lowered[5:]) == tiny.fixed


def test_a_network_taps_the_unit_and_not_the_layer(tiny: Space) -> None:
    assert tiny.network(Architecture("tiny", tiny.reference)).attributes["tap"] == 1 + tiny.tap


def test_macs_are_whole_numbers_for_each_unit_and_candidate(tiny: Space) -> None:
    assert tiny.macs.shape == (4, 13)
    np.testing.assert_array_equal(tiny.macs, np.round(tiny.macs))
    assert tiny.macs[3, tiny.units[3].names.index("skip")] == 0
    assert (tiny.macs[:3] > 0).all()


def test_workloads_are_named_once_each_with_the_fixed_ones_first(tiny: Space) -> None:
    workloads = tiny.workloads()
    assert workloads[:3] == tiny.fixed
    assert len(set(workloads)) == len(workloads)
    assert set(workloads) == {
        *tiny.fixed,
        *(workload for unit in tiny.grid for several in unit for workload in several),
    }


def test_equal_units_share_their_workloads() -> None:
    space = open_space("squeezenas-small")
    # Units 2 to 4 of each of the five stages are alike: 10 different units, 5 of them with the free identity.
    assert len(space.workloads()) == 10 * 13 + len(space.fixed)


@pytest.mark.parametrize("names", [["skip"] * 3, ["skip"] * 5, []])
def test_a_wrong_number_of_names_is_refused(tiny: Space, names: list[str]) -> None:
    with pytest.raises(WrongUse, match=f"of tiny names 4 candidates; got {len(names)}"):
        tiny.architecture(names)


def test_an_unknown_candidate_is_refused_with_its_unit_and_the_nearest_name(tiny: Space) -> None:
    with pytest.raises(WrongUse, match=r"no candidate of stage 3\.1 'k3e6g9'. Did you mean 'k3e6g1'"):
        tiny.architecture(["skip", "skip", "k3e6g9", "skip"])


@pytest.mark.parametrize("architecture", [Architecture("demo", (0,) * 4), Architecture("tiny", (0,) * 5)])
def test_an_architecture_of_another_space_is_refused(tiny: Space, architecture: Architecture) -> None:
    for use in (tiny.names, tiny.lower, tiny.network):
        with pytest.raises(WrongUse, match="not to tiny"):
            use(architecture)


def test_a_space_is_plain_data(tiny: Space) -> None:
    assert replace(tiny) == tiny
    assert len({Architecture("tiny", (0, 1, 2, 3)), Architecture("tiny", (0, 1, 2, 3))}) == 1
    assert [unit.name for unit in tiny.units] == ["stage 1.1", "stage 2.1", "stage 3.1", "stage 3.2"]
