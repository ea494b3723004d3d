"""Networks that are listed one by one: what is on the list, and what it costs."""

from __future__ import annotations

import numpy as np
import pytest

from devices import NoAnswer, WrongUse
from search.listed import ListedCost, ListedNetworks

PICKS = np.array([(0, 0), (0, 2), (1, 1)])
CANDIDATES = {"first": ("a", "b"), "second": ("x", "y", "z")}
NETWORKS = ListedNetworks("toy", CANDIDATES, PICKS, (1, 1))
COST = ListedCost("latency", NETWORKS, np.array([0.003, np.nan, 0.002]))


def test_networks_are_found_by_their_picks() -> None:
    assert [NETWORKS.row(picks) for picks in [(0, 0), (1, 1), (1, 0)]] == [0, 2, None]
    assert NETWORKS.names((0, 2)) == ("a", "z")


def test_costs_are_looked_up_and_unknown_where_there_is_no_network_or_it_failed() -> None:
    np.testing.assert_array_equal(COST.cost(np.array([(1, 1), (0, 2), (1, 2)])), [0.002, np.nan, np.nan])
    assert (COST.holds((0, 2)), COST.holds((1, 2))) == (True, False)


def test_limits_in_percent_are_of_the_reference() -> None:
    assert COST.limit("150%") == pytest.approx(0.003)


def test_an_impossible_limit_is_refused_with_the_fastest_of_the_list() -> None:
    assert COST.cheapest() == (1, 1)
    with pytest.raises(NoAnswer, match=r"No network of toy is within 1 ms: the cheapest needs 2 ms \(b y\)"):
        COST.refuse_impossible(0.001)


def test_a_list_of_failures_has_no_cheapest() -> None:
    with pytest.raises(NoAnswer, match="No network of toy has a known latency on nano"):
        ListedCost("latency", NETWORKS, np.full(3, np.nan), "nano").cheapest()


@pytest.mark.parametrize(
    ("picks", "reference", "message"),
    [
        (np.empty((0, 2), dtype=int), (0, 0), "must be listed as"),
        (PICKS[:, :1], (0,), "must be listed as"),
        (np.array([(0, 3)]), (0, 3), "below its unit's number of candidates"),
        (np.array([(0, -1)]), (0, -1), "below its unit's number of candidates"),
        (np.array([(0, 0), (0, 0)]), (0, 0), "some are listed twice"),
        (PICKS, (1, 2), "reference must be a listed network"),
    ],
)
def test_a_list_that_does_not_fit_is_refused(picks: np.ndarray, reference: tuple[int, ...], message: str) -> None:
    with pytest.raises(WrongUse, match=message):
        ListedNetworks("toy", CANDIDATES, picks, reference)
