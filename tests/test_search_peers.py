"""Other people's searches: what they may ask for, that they keep to it, and that their absence is said."""

from __future__ import annotations

import math
import sys

import pytest

from benchmarks.search_peers import PEERS, Queries
from devices import NotAvailable

SIZES = (4, 3, 5)
NEEDS = {"Optuna TPE": "optuna", "Optuna NSGA-II": "optuna", "pymoo GA": "pymoo"}


def score(picks: tuple[int, ...]) -> float:
    return float(sum(picks))


def violation(picks: tuple[int, ...]) -> float:
    """At most 5 in sum; the first of all failed."""
    return math.nan if not any(picks) else sum(picks) / 5 - 1


def test_only_a_new_network_within_the_limit_is_a_query() -> None:
    queries = Queries(score, violation, 2)
    assert queries.ask((1, 1, 1)) == (3.0, pytest.approx(3 / 5 - 1))
    assert queries.ask((1, 1, 1))[0] == 3.0
    assert queries.ask((3, 2, 4)) == (0.0, pytest.approx(9 / 5 - 1))
    assert (len(queries.scores), queries.proposals, queries.is_over) == (1, 3, False)
    queries.ask((1, 0, 0))
    assert queries.is_over
    assert queries.scores == {(1, 1, 1): 3.0, (1, 0, 0): 1.0}


def test_a_network_that_failed_is_far_above_the_limit() -> None:
    queries = Queries(score, violation, 2)
    value, above = queries.ask((0, 0, 0))
    assert value == 0
    assert above > max(violation((a, b, c)) for a in range(4) for b in range(3) for c in range(5) if a + b + c)
    assert not queries.scores


def test_a_search_that_finds_nothing_new_is_ended() -> None:
    queries = Queries(score, violation, 3)
    asked = 0
    while not queries.is_over:
        queries.ask((1, 1, 1))
        asked += 1
    assert asked == 60, "20 proposals for each query"


@pytest.mark.parametrize("name", list(PEERS))
def test_a_peer_makes_its_queries_within_the_limit_and_the_same_ones_again(name: str) -> None:
    pytest.importorskip(NEEDS[name], reason=f"{NEEDS[name]} is not installed; {name} is its search")
    found = []
    for seed in (0, 0, 1):
        queries = Queries(score, violation, 12)
        PEERS[name](queries, SIZES, seed)
        assert 12 <= len(queries.scores) < 12 + (20 if name == "pymoo GA" else 1), "a generation may be ended"
        assert all(violation(picks) <= 0 for picks in queries.scores)
        assert all(0 <= pick < size for picks in queries.scores for pick, size in zip(picks, SIZES, strict=True))
        found.append(list(queries.scores))
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("name", list(PEERS))
def test_a_peer_that_is_not_installed_says_so(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [module for module in sys.modules if module.partition(".")[0] == NEEDS[name]]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, NEEDS[name], None)
    with pytest.raises(NotAvailable, match=f"pip install {NEEDS[name]}"):
        PEERS[name](Queries(score, violation, 2), SIZES, 0)
