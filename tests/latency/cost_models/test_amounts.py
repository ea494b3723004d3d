"""Amounts of workloads, against the operators that they come from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from devices import WrongUse
from latency import Workload, operator_of
from latency.cost_models.amounts import AMOUNTS, amounts
from tests.contracts.examples import OPERATOR_CASES, block, decoder


@pytest.mark.parametrize("workload", OPERATOR_CASES.values(), ids=OPERATOR_CASES)
def test_every_operator_has_amounts_of_at_least_one(workload: Workload) -> None:
    found = dict(zip(AMOUNTS, amounts([workload])[0], strict=True))
    operator = operator_of(workload)
    assert min(found.values()) >= 1
    assert found["macs"] == max(1, operator.macs(workload))
    assert found["activation_bytes"] == operator.activation_bytes(workload)
    assert found["channels_out"] == operator.output(workload)[0]


def test_the_batch_multiplies_work_traffic_and_pixels_and_not_weights() -> None:
    one, four = (dict(zip(AMOUNTS, amounts([block(batch=batch)])[0], strict=True)) for batch in (1, 4))
    for name in ("macs", "activation_bytes", "pixels_in", "pixels"):
        assert four[name] == 4 * one[name]
    assert four["weight_bytes"] == one["weight_bytes"]


def test_smaller_numbers_are_fewer_bytes() -> None:
    full, half = (
        dict(zip(AMOUNTS, amounts([replace(block(), precision=p)])[0], strict=True)) for p in ("fp32", "fp16")
    )
    assert full["weight_bytes"] == 2 * half["weight_bytes"]
    assert full["activation_bytes"] == 2 * half["activation_bytes"]


def test_all_inputs_are_counted() -> None:
    found = dict(zip(AMOUNTS, amounts([decoder(source=8, tap=6)])[0], strict=True))
    assert found["channels_in"] == 14
    assert found["pixels_in"] == 16 * 32


def test_nothing_has_no_amounts_and_an_unknown_operator_is_refused() -> None:
    assert amounts([]).shape == (0, len(AMOUNTS))
    with pytest.raises(WrongUse, match="no_such_operator"):
        amounts([Workload("no_such_operator", ((8, 8, 8),))])
