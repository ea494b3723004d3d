"""Scores that somebody measured for every network of a list."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import final

import numpy as np

from devices import unknown_name
from search.cost import Picks
from search.evaluators.evaluator import Evaluator, digest_of
from search.tabular_benchmark import TabularBenchmark


@final
class TabularEvaluator(Evaluator):
    """Looks scores up in a tabular benchmark, at no cost.

    Args:
        benchmark: networks with their scores.
        column: which of its scores.

    Raises:
        WrongUse: it has no scores of that name.
    """

    name = "tabular"

    def __init__(self, benchmark: TabularBenchmark, column: str) -> None:
        if column not in benchmark.scores:
            raise unknown_name(f"score in {benchmark.file}", column, benchmark.scores)
        self.meaning = f"{benchmark.meaning(column)}, %"
        self._benchmark, self._column = benchmark, column
        self._scores = benchmark.scores[column]

    def score(self, picks: Picks) -> float:
        """In percent; NaN for a network that is not listed."""
        row = self._benchmark.networks.row(picks)
        return float("nan") if row is None else float(self._scores[row])

    def identity(self) -> Mapping[str, object]:
        """The benchmark, the column, and the numbers in it."""
        numbers = hashlib.sha256(np.ascontiguousarray(self._scores, dtype=np.float64).tobytes()).hexdigest()[:16]
        return {"space": self._benchmark.networks.name, "column": self._column, "numbers": numbers}

    def digest(self, picks: Picks) -> str:
        """Of the candidates' names."""
        return digest_of([self._benchmark.networks.name, *self._benchmark.networks.names(picks)])

    def words(self, score: float) -> str:
        """In percent."""
        return f"{score:.2f} %"
