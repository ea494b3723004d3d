"""Trials as plain values, and a strategy as a contract."""

from __future__ import annotations

import json

import pytest

from search import Strategy, Trial


@pytest.mark.parametrize(
    "trial",
    [
        Trial((0, 12, 3), 1.5e9, feasible=True, score=0.1 + 0.2),
        Trial((1,), None, feasible=False),
        Trial((), 2.0, False),
    ],
)
def test_a_trial_survives_json(trial: Trial) -> None:
    assert Trial.from_json(json.loads(json.dumps(trial.to_json()))) == trial


@pytest.mark.parametrize("missing", ["picks", "cost", "feasible", "score"])
def test_half_a_trial_is_none(missing: str) -> None:
    values = Trial((1,), 2.0, feasible=True, score=0.5).to_json()
    del values[missing]
    with pytest.raises(KeyError, match=missing):
        Trial.from_json(values)


@pytest.mark.parametrize(
    "changed", [{"picks": ["a"]}, {"picks": [1.5]}, {"cost": "low"}, {"score": [1]}, {"objectives": "ab"}]
)
def test_values_of_another_kind_are_no_trial(changed: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        Trial.from_json({**Trial((1,), 2.0, feasible=True, score=0.5).to_json(), **changed})


def test_trials_are_values() -> None:
    assert len({Trial((1, 2), 3.0, feasible=True, score=0.5), Trial((1, 2), 3.0, feasible=True, score=0.5)}) == 1


def test_a_strategy_must_both_ask_and_tell() -> None:
    assert Strategy.__abstractmethods__ == {"ask", "tell"}
