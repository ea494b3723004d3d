"""Scores that are kept: asked for once, across kills, and never taken for another evaluator's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import pytest

from devices import WrongUse
from search.evaluators import CachedEvaluator, Evaluator


class Counting(Evaluator):
    """Counts what it was asked; networks (n,) score n / 2, and 13 cannot be scored."""

    name = "counting"
    meaning = "half of the pick"

    def __init__(self, seed: int = 0) -> None:
        self.seed, self.calls = seed, list[tuple[int, ...]]()

    def score(self, picks: tuple[int, ...]) -> float:
        self.calls.append(picks)
        return math.nan if picks[0] == 13 else picks[0] / 2 + self.seed

    def identity(self) -> Mapping[str, object]:
        return {"seed": self.seed}

    def digest(self, picks: tuple[int, ...]) -> str:
        return f"network {picks[0]}"

    def words(self, score: float) -> str:
        return f"{score} halves"


def test_each_network_is_asked_for_once_also_by_a_later_run(tmp_path: Path) -> None:
    asked = Counting()
    cached = CachedEvaluator(asked, tmp_path / "runs" / "scores.jsonl")
    assert [cached.score((pick,)) for pick in (3, 4, 3, 4)] == [1.5, 2.0, 1.5, 2.0]
    again = CachedEvaluator(asked, tmp_path / "runs" / "scores.jsonl")
    assert again.score((4,)) == 2.0
    assert asked.calls == [(3,), (4,)]
    assert (cached.asked, again.asked) == (2, 0)


def test_a_network_that_cannot_be_scored_is_not_tried_again(tmp_path: Path) -> None:
    asked = Counting()
    for _ in range(2):
        assert math.isnan(CachedEvaluator(asked, tmp_path / "scores.jsonl").score((13,)))
    assert asked.calls == [(13,)]


def test_evaluators_share_a_file_and_no_score(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    assert [CachedEvaluator(Counting(seed), path).score((2,)) for seed in (0, 10, 0)] == [1.0, 11.0, 1.0]
    assert len(path.read_text().splitlines()) == 2


@pytest.mark.parametrize("torn", [b'{"evaluator": "a', b"\xff\xfe", b"[]\n", b'{"score": 1}\n', b"3", b"null\n"])
def test_a_line_that_says_nothing_costs_one_evaluation(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "scores.jsonl"
    CachedEvaluator(Counting(), path).score((2,))
    path.write_bytes(path.read_bytes() + torn)
    asked = Counting()
    cached = CachedEvaluator(asked, path)
    assert [cached.score((pick,)) for pick in (2, 5)] == [1.0, 2.5]
    assert asked.calls == [(5,)]
    assert CachedEvaluator(Counting(), path).score((5,)) == 2.5
    assert CachedEvaluator(asked, path).asked == 0


def test_it_speaks_for_whom_it_asks(tmp_path: Path) -> None:
    cached = CachedEvaluator(Counting(3), tmp_path / "scores.jsonl")
    assert (cached.name, cached.meaning, cached.key) == ("counting", "half of the pick", Counting(3).key)
    assert cached.words(2) == "2 halves"
    assert cached.digest((2,)) == "network 2"


def test_a_cache_that_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="cannot be read"):
        CachedEvaluator(Counting(), tmp_path)
