"""Decoders: their arithmetic against what torch builds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latency import OPERATORS, Workload
from tests.contracts.examples import decoder

SIZES = st.integers(1, 80)


@settings(max_examples=15)
@given(SIZES, SIZES, st.integers(1, 4), st.integers(1, 8), st.integers(1, 30), st.integers(1, 20), st.integers(1, 2))
@pytest.mark.parametrize("operator", ["lr_aspp", "aspp"])
def test_a_decoder_is_as_torch_has_it(
    agrees_with_torch: Callable[[Workload], None],
    operator: str,
    height: int,
    width: int,
    wider: int,
    middle: int,
    tap: int,
    classes: int,
    batch: int,
) -> None:
    source = (wider * middle, height, width)
    attributes = {"middle": middle, "classes": classes, "height": 16 * height + 1, "width": 16 * width + 3}
    low = (tap, 4 * height + 1, 4 * width)
    agrees_with_torch(Workload(operator, (source, low), attributes, batch=batch))


@pytest.mark.parametrize("operator", ["lr_aspp", "aspp"])
def test_a_decoder_writes_classes_at_the_size_of_the_image(operator: str) -> None:
    assert OPERATORS[operator].output(decoder(operator)) == (5, 64, 128)


@pytest.mark.parametrize(
    ("size", "pooled"),
    [((64, 128), (1, 4)), ((49, 49), (1, 1)), ((8, 16), (1, 1)), ((65, 69), (2, 2)), ((64, 68), (1, 1))],
)
def test_the_pooling_of_lr_aspp_is_clamped_to_its_input(size: tuple[int, int], pooled: tuple[int, int]) -> None:
    attributes = {"middle": 4, "classes": 5, "height": 64, "width": 128}
    workload = Workload("lr_aspp", ((8, *size), (6, 128, 256)), attributes)
    assert OPERATORS["lr_aspp"].layers(workload)[1].output == (8, *pooled)
