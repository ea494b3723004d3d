"""The FBNet spaces: what was published, to the unit."""

from __future__ import annotations

import pytest

from latency import operator_of
from search import Space, open_published, open_space
from search.spaces.fbnet import FBNETS
from tests.contracts.space_contract import SpaceContract, counted

NINE = ["k3_e1", "k3_e1_g2", "k3_e3", "k3_e6", "k5_e1", "k5_e1_g2", "k5_e3", "k5_e6", "skip"]
COUNTED = {"fbnet_a": 249_369_912, "fbnet_b": 295_561_032, "fbnet_c": 382_984_480}


class TestFbnet(SpaceContract):
    smallest = (32, 32)

    def open(
        self, input_size: tuple[int, int] | None = None, classes: int | None = None, precision: str = "fp32"
    ) -> Space:
        return open_space("fbnet", input_size, classes, precision)


@pytest.mark.parametrize("name", COUNTED)
def test_published_networks_have_the_published_macs_and_are_built_so(name: str) -> None:
    space, architecture = open_published(name)
    network = space.network(architecture)
    assert operator_of(network).macs(network) == COUNTED[name]
    assert counted(network) == (COUNTED[name], operator_of(network).parameters(network), (1, 1000))


def test_the_candidates_have_the_published_order_and_the_zoo_has_one_more() -> None:
    assert {unit.names for unit in open_space("fbnet").units} == {tuple(NINE)}
    assert {unit.names for unit in open_space("fbnet-zoo").units} == {(*NINE, "k3+3_e6")}
    assert set(FBNETS) == {"fbnet", "fbnet-zoo"}


def test_units_have_the_published_widths_and_strides() -> None:
    written = [
        operator_of(u.candidates[0].workload).output(u.candidates[0].workload) for u in open_space("fbnet").units
    ]
    widths = [16] + [24] * 4 + [32] * 4 + [64] * 4 + [112] * 4 + [184] * 4 + [352]
    pixels = [112] + [56] * 4 + [28] * 4 + [14] * 8 + [7] * 5
    assert written == [(channels, side, side) for channels, side in zip(widths, pixels, strict=True)]


def test_a_skip_is_a_convolution_where_the_shape_changes() -> None:
    skips = [unit.candidates[8].workload for unit in open_space("fbnet").units]
    changing = {0: None, 1: 2, 5: 2, 9: 2, 13: 1, 17: 2, 21: 1}
    for index, skip in enumerate(skips):
        assert skip.operator == ("convolution" if changing.get(index) else "identity")
        assert skip.attributes.get("stride") == changing.get(index)


def test_blocks_that_squeezenas_has_are_the_same_workloads() -> None:
    operators = [candidate.workload.operator for candidate in open_space("fbnet-zoo").units[2].candidates]
    assert operators == [
        "inverted_residual",
        "shuffled_residual",
        "inverted_residual",
        "inverted_residual",
        "inverted_residual",
        "shuffled_residual",
        "inverted_residual",
        "inverted_residual",
        "identity",
        "double_depthwise_residual",
    ]
