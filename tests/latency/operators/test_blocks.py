"""Operators of the encoder: their arithmetic against what torch builds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from latency import OPERATORS, Workload
from tests.contracts.examples import block, reduction, skip

Check = Callable[[Workload], None]

SIZES = st.integers(1, 40)
CHANNELS = st.integers(1, 24)
KERNELS = st.sampled_from([1, 3, 5, 7])
STRIDES = st.integers(1, 3)
STEADY = settings(max_examples=30)


@STEADY
@given(CHANNELS, SIZES, SIZES, CHANNELS, KERNELS, STRIDES, st.integers(1, 3))
def test_a_convolution_is_as_torch_has_it(
    agrees_with_torch: Check, source: int, height: int, width: int, channels: int, kernel: int, stride: int, batch: int
) -> None:
    attributes = {"channels": channels, "kernel": kernel, "stride": stride}
    agrees_with_torch(Workload("convolution", ((source, height, width),), attributes, batch=batch))


@STEADY
@given(
    source=st.integers(1, 6),
    channels=st.integers(1, 6),
    groups=st.integers(1, 4),
    size=SIZES,
    kernel=KERNELS,
    stride=STRIDES,
    expansion=st.integers(1, 6),
    dilation=st.integers(1, 3),
    batch=st.integers(1, 2),
)
def test_an_inverted_residual_is_as_torch_has_it(agrees_with_torch: Check, **numbers: int) -> None:
    groups = numbers.pop("groups")
    source, channels = numbers.pop("source") * groups, numbers.pop("channels") * groups
    agrees_with_torch(block(channels, source=source, groups=groups, **numbers))


@STEADY
@given(CHANNELS, st.integers(2, 24), SIZES, SIZES)
def test_a_factorized_reduce_is_as_torch_has_it(
    agrees_with_torch: Check, source: int, channels: int, height: int, width: int
) -> None:
    agrees_with_torch(reduction(channels, source=source, size=(height, width)))


@STEADY
@given(CHANNELS, CHANNELS, SIZES, SIZES)
def test_a_projection_is_as_torch_has_it(
    agrees_with_torch: Check, source: int, channels: int, height: int, width: int
) -> None:
    agrees_with_torch(Workload("projection", ((source, height, width),), {"channels": channels}))


@STEADY
@given(CHANNELS, SIZES, SIZES)
def test_an_identity_is_as_torch_has_it(agrees_with_torch: Check, channels: int, height: int, width: int) -> None:
    agrees_with_torch(Workload("identity", ((channels, height, width),)))


@STEADY
@given(st.integers(1, 12), st.integers(1, 12), SIZES, STRIDES)
def test_all_candidates_of_a_unit_write_the_same_shape(source: int, channels: int, size: int, stride: int) -> None:
    assume(stride < 3)
    assume(channels > 1)
    shape = OPERATORS["inverted_residual"].output(block(channels, source=source, size=size, stride=stride))
    if stride == 2:
        skipped = reduction(channels, source=source, size=(size, size))
    else:
        skipped = Workload("projection", ((source, size, size),), {"channels": channels})
    assert OPERATORS[skipped.operator].output(skipped) == shape


def test_an_identity_is_free_and_nothing_else_is() -> None:
    assert [name for name in OPERATORS if OPERATORS[name].is_free] == ["identity"]
    assert OPERATORS["identity"].macs(skip()) == OPERATORS["identity"].parameters(skip()) == 0


def test_the_hidden_width_of_an_inverted_residual_is_counted_at_expansion_1_too() -> None:
    layers = OPERATORS["inverted_residual"].layers(block(expansion=1))
    assert [layer.output for layer in layers] == [(8, 8, 8)] * 3


@pytest.mark.parametrize("groups", [2, 4])
def test_groups_divide_both_pointwise_convolutions_and_no_more(groups: int) -> None:
    whole, grouped = (OPERATORS["inverted_residual"].layers(block(groups=number)) for number in (1, groups))
    assert [one.macs / other.macs for one, other in zip(whole, grouped, strict=True)] == [groups, 1, groups]
