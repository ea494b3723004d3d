"""Choosing what to measure: the most telling first, spread out, and better than at random."""

from __future__ import annotations

import numpy as np
import pytest

from devices import WrongUse
from latency import Workload
from latency.active_choice import _greedy, _uncertainty, most_telling
from latency.cost_models.cost_model import Timings
from latency.cost_models.gaussian_process import GaussianProcess
from tests.contracts.cost_model_contract import blocks, measured
from tests.contracts.examples import decoder, reduction


def with_rare_ones() -> Timings:
    """A table as spaces have it: many blocks, and a few operators that occur once or twice and are slow."""
    rare = (reduction(8), reduction(32), decoder())
    table = measured((*blocks()[:90], *rare), noise=0.02)
    slower = np.where([w.operator == "inverted_residual" for w in table.workloads], 1.0, 3.0)
    return Timings(table.workloads, table.time_s * slower, table.standard_deviation_s)


def test_the_same_question_has_the_same_answer_of_different_candidates() -> None:
    known, candidates = measured(blocks()[:20]), blocks()[20:]
    first = most_telling(known, candidates, 15)
    assert first == most_telling(known, candidates, 15)
    assert len(set(first)) == 15
    assert all(type(place) is int and 0 <= place < len(candidates) for place in first)


def test_a_longer_choice_begins_with_the_shorter_one() -> None:
    known, candidates = measured(blocks()[:20]), blocks()[20:]
    assert most_telling(known, candidates, 12)[:5] == most_telling(known, candidates, 5)


def test_carrying_sums_along_is_the_same_as_updating_the_covariance() -> None:
    covariance = _uncertainty(measured(blocks()[:20]), blocks()[20:])
    weight = np.random.default_rng(0).uniform(0, 1, len(covariance))
    left, expected = covariance.copy(), list[int]()
    for _ in range(15):
        gain = weight @ left**2 / (np.diag(left) + 1e-4)
        gain[expected] = -np.inf
        best = int(gain.argmax())
        expected.append(best)
        left -= np.outer(left[best], left[best]) / (left[best, best] + 1e-4)
    assert _greedy(covariance, weight, np.ones(len(covariance)), 15) == expected


def test_each_choice_makes_the_rest_as_certain_as_any_could() -> None:
    covariance = _uncertainty(measured(blocks()[:20]), blocks()[20:60])
    best = _greedy(covariance, np.ones(40), np.ones(40), 1)[0]
    after = [
        np.diag(covariance).sum() - (covariance[:, place] ** 2).sum() / (covariance[place, place] + 1e-4)
        for place in range(40)
    ]
    assert after[best] == pytest.approx(min(after))


@pytest.mark.parametrize("known", [None, measured(blocks()[:3])], ids=["nothing", "three rows"])
def test_before_there_is_anything_to_learn_from_every_kind_is_looked_at(known: Timings | None) -> None:
    workloads = with_rare_ones().workloads[3:]
    chosen = [workloads[place] for place in most_telling(known, workloads, 12)]
    assert {w.operator for w in chosen} == {"inverted_residual", "factorized_reduce", "lr_aspp"}
    assert len({w.attributes.get("kernel") for w in chosen} - {None}) == 2
    assert len({w.attributes.get("expansion") for w in chosen} - {None}) == 3


def test_what_is_chosen_teaches_more_than_what_is_drawn() -> None:
    table, everything = with_rare_ones(), np.arange(93)

    def error(measured_rows: list[int]) -> float:
        rest = np.setdiff1d(everything, measured_rows)
        found = GaussianProcess().fit(table[np.array(measured_rows)]).estimate(table[rest].workloads)
        return float(np.sqrt(np.mean(np.log(found.mean_s / table.time_s[rest]) ** 2)))

    chosen = most_telling(None, table.workloads, 10)
    rest = np.setdiff1d(everything, chosen)
    chosen += [int(rest[place]) for place in most_telling(table[np.array(chosen)], table[rest].workloads, 10)]
    drawn = [error(np.random.default_rng(seed).permutation(93)[:20].tolist()) for seed in range(10)]
    assert error(chosen) < 0.7 * np.mean(drawn)


def test_what_matters_more_is_known_better() -> None:
    known, candidates = measured(blocks()[:20]), blocks()[20:80]
    large = np.array([w.attributes["channels"] == 32 for w in candidates])
    asked = (None, np.where(large, 1.0, 1e-6))
    plain, weighted = (np.mean(large[most_telling(known, candidates, 10, weights=weights)]) for weights in asked)
    assert weighted > plain


def test_per_second_the_cheaper_of_two_alike_is_chosen() -> None:
    known, candidates = measured(blocks()[:20]), blocks()[20:80]
    dear = most_telling(known, candidates, 5)
    costs_s = np.where(np.isin(np.arange(60), dear), 1e6, 1.0)
    assert not set(most_telling(known, candidates, 5, costs_s=costs_s)) & set(dear)


def test_few_candidates_are_all_chosen_and_none_gives_none() -> None:
    assert sorted(most_telling(None, blocks()[:4], 10)) == [0, 1, 2, 3]
    assert most_telling(measured(blocks()[:20]), [], 3) == []


@pytest.mark.parametrize(
    ("count", "weights", "costs_s"),
    [
        (0, None, None),
        (1, np.ones(3), None),
        (1, np.array([1.0, -1.0]), None),
        (1, np.array([1.0, np.nan]), None),
        (1, None, np.array([1.0, 0.0])),
        (1, None, np.ones(3)),
    ],
)
def test_nonsense_is_refused(count: int, weights: np.ndarray | None, costs_s: np.ndarray | None) -> None:
    candidates: tuple[Workload, ...] = blocks()[:2]
    with pytest.raises(WrongUse, match="a count of at least 1, and for each of 2 candidates"):
        most_telling(None, candidates, count, weights=weights, costs_s=costs_s)
