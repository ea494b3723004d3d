"""The ProxylessNAS spaces: the published network to the unit, and the published table."""

from __future__ import annotations

import numpy as np
import pytest

from latency import operator_of
from lut import Lookup, Statement, Table, format_of, read_foreign, sum_of_picks
from search import Space, open_published, open_space
from tests.contracts.space_contract import SpaceContract, counted
from tests.lut.foreign.real_files import FOLDER, needs_files

SIX = ("k3e3", "k3e6", "k5e3", "k5e6", "k7e3", "k7e6")


class TestProxylessNas(SpaceContract):
    smallest = (32, 32)

    def open(
        self, input_size: tuple[int, int] | None = None, classes: int | None = None, precision: str = "fp32"
    ) -> Space:
        return open_space("proxylessnas", input_size, classes, precision)


def test_the_published_network_has_the_published_macs_and_parameters() -> None:
    space, architecture = open_published("proxylessnas_mobile")
    network, known = space.network(architecture), (320_427_584, 4_080_512)
    assert (operator_of(network).macs(network), operator_of(network).parameters(network)) == known
    assert counted(network) == (*known, (1, 1000))


def test_zero_is_a_candidate_where_the_input_can_take_the_place_of_the_block() -> None:
    units = open_space("proxylessnas").units
    assert len(units) == 21
    for index, unit in enumerate(units):
        assert unit.names == (SIX if index % 4 == 0 else (*SIX, "zero"))


def test_the_two_spaces_differ_in_the_width_of_the_first_stage() -> None:
    wide, trim = open_space("proxylessnas"), open_space("proxylessnas-trim")
    differ = [a != b for a, b in zip(wide.grid, trim.grid, strict=True)]
    assert differ == [True] * 5 + [False] * 16
    assert wide.fixed == trim.fixed


@needs_files
@pytest.mark.parametrize(
    ("name", "known_ms"), [("k3e3", 76.048099), ("k3e6", 136.466266), ("k5e3", 87.720278), ("k7e6", 191.029871)]
)
def test_the_published_table_serves_the_trimmed_space(name: str, known_ms: float) -> None:
    path = FOLDER / "proxylessnas_mobile_trim.yaml"
    table = Table()
    for row in read_foreign(path, format_of(path), Statement()).rows:
        table.add_estimate(*row)
    space = open_space("proxylessnas-trim")
    lookup = Lookup.read(table, space.grid, space.fixed)
    picks = np.array([[unit.names.index(name) for unit in space.units]])
    assert sum_of_picks(lookup.mean_s, lookup.fixed.mean_s, picks) * 1e3 == pytest.approx(known_ms, abs=1e-6)
