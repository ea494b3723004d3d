"""Blocks that only FBNet has: their arithmetic against what torch builds."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from latency import OPERATORS, Workload, operator_of
from tests.contracts.examples import block

Check = Callable[[Workload], None]

STEADY = settings(max_examples=40)
NUMBERS = {
    "size": st.integers(1, 20),
    "kernel": st.sampled_from([3, 5]),
    "stride": st.integers(1, 2),
    "expansion": st.integers(1, 6),
}


def double(source: int, size: int, **attributes: int) -> Workload:
    return Workload("double_depthwise_residual", ((source, size, size),), attributes)


def shuffled(source: int, size: int, **attributes: int) -> Workload:
    return Workload("shuffled_residual", ((source, size, size),), attributes)


@STEADY
@given(source=st.integers(1, 12), channels=st.integers(1, 12), **NUMBERS)
def test_a_block_of_two_depthwise_convolutions_is_as_torch_has_it(agrees_with_torch: Check, **numbers: int) -> None:
    agrees_with_torch(double(**numbers))


@STEADY
@given(source=st.integers(1, 6), channels=st.integers(1, 6), groups=st.integers(1, 4), **NUMBERS)
def test_a_shuffled_block_is_as_torch_has_it(agrees_with_torch: Check, groups: int, **numbers: int) -> None:
    source, channels = numbers.pop("source") * groups, numbers.pop("channels") * groups
    agrees_with_torch(shuffled(source, channels=channels, groups=groups, **numbers))


def test_the_shuffle_counts_nothing() -> None:
    plain = block(groups=2)
    attributes = {name: value for name, value in plain.attributes.items() if name != "dilation"}
    with_ = Workload("shuffled_residual", plain.inputs, attributes)
    assert operator_of(with_).macs(with_) == operator_of(plain).macs(plain)
    assert operator_of(with_).parameters(with_) == operator_of(plain).parameters(plain)


def test_the_second_depthwise_convolution_reads_what_the_first_has_reduced() -> None:
    layers = OPERATORS["double_depthwise_residual"].layers(double(8, 8, channels=8, kernel=3, stride=2, expansion=1))
    assert [layer.output for layer in layers] == [(8, 8, 8), (8, 4, 4), (8, 4, 4), (8, 4, 4)]
