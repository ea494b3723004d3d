from __future__ import annotations

from typing import Any

import pytest

from latency import Workload
from lut.foreign import activated_convolution, classifier, global_pool, mobile_block
from lut.foreign.mobile_layers import as_mbconv

PLAIN: dict[str, Any] = {"kernel": 3, "stride": 1, "hidden": 24, "activation": "relu", "skip": True}


def test_a_plain_block_is_an_inverted_residual_and_says_the_same_as_an_mbconv() -> None:
    block = mobile_block((8, 4, 4), 8, **PLAIN)
    assert block.operator == "inverted_residual"
    assert as_mbconv(block) == {
        "channels": 8,
        "kernel": 3,
        "stride": 1,
        "hidden": 24,
        "activation": "relu",
        "skip": 1,
        "se": 0,
    }


@pytest.mark.parametrize(
    "change", [{"activation": "relu6"}, {"se": True}, {"skip": False}, {"hidden": 20}, {"hidden": 8}], ids=str
)
def test_a_block_that_computes_something_else_is_an_mbconv(change: dict[str, Any]) -> None:
    block = mobile_block((8, 4, 4), 8, **PLAIN | change)
    assert block.operator == "mbconv"
    assert as_mbconv(block) == dict(block.attributes)


def test_other_operators_are_no_mbconv() -> None:
    assert as_mbconv(Workload("identity", ((8, 4, 4),))) is None


def test_the_other_layers_say_what_they_compute() -> None:
    assert activated_convolution((3, 8, 8), 16, activation="relu6", kernel=3, stride=2).attributes == {
        "channels": 16,
        "kernel": 3,
        "stride": 2,
        "norm": 1,
        "activation": "relu6",
    }
    assert global_pool((8, 7, 7)).operator == "global_average_pool"
    assert classifier((8, 7, 7), 10, pool=True) != classifier((8, 7, 7), 10, pool=False)
    assert global_pool((8, 7, 7), "int8").precision == "int8"
