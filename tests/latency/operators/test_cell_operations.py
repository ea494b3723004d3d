"""Operations of cells: their arithmetic against what torch builds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices import WrongUse
from latency import Value, Workload, build_module, operator_of

Check = Callable[[Workload], None]

STEADY = settings(max_examples=30)
SIDES = st.tuples(st.integers(1, 20), st.integers(1, 20))
CHANNELS = st.integers(1, 12)
KERNELS = st.sampled_from([1, 3, 5, 7])
STRIDES = st.integers(1, 2)


def made(operator: str, source: int, sides: tuple[int, int], **attributes: Value) -> Workload:
    return Workload(operator, ((source, *sides),), attributes)


@STEADY
@given(CHANNELS, SIDES, CHANNELS, KERNELS, STRIDES, st.integers(1, 3))
def test_a_relu_convolution_is_as_torch_has_it(
    agrees_with_torch: Check,
    source: int,
    sides: tuple[int, int],
    channels: int,
    kernel: int,
    stride: int,
    dilation: int,
) -> None:
    agrees_with_torch(
        made("relu_convolution", source, sides, channels=channels, kernel=kernel, stride=stride, dilation=dilation)
    )


@STEADY
@given(CHANNELS, SIDES, CHANNELS, KERNELS, STRIDES)
def test_a_separable_convolution_is_as_torch_has_it(
    agrees_with_torch: Check, source: int, sides: tuple[int, int], channels: int, kernel: int, stride: int
) -> None:
    agrees_with_torch(made("separable_convolution", source, sides, channels=channels, kernel=kernel, stride=stride))


@STEADY
@given(CHANNELS, SIDES, KERNELS, STRIDES, st.sampled_from(["average_pool", "max_pool"]))
def test_a_pool_is_as_torch_has_it_and_counts_nothing(
    agrees_with_torch: Check, source: int, sides: tuple[int, int], kernel: int, stride: int, operator: str
) -> None:
    workload = made(operator, source, sides, kernel=kernel, stride=stride)
    agrees_with_torch(workload)
    assert operator_of(workload).macs(workload) == operator_of(workload).parameters(workload) == 0


@STEADY
@given(CHANNELS, st.integers(1, 9), st.integers(1, 9), CHANNELS)
def test_a_residual_reduction_is_as_torch_has_it(
    agrees_with_torch: Check, source: int, height: int, width: int, channels: int
) -> None:
    agrees_with_torch(made("residual_reduction", source, (2 * height, 2 * width), channels=channels))


@pytest.mark.parametrize("norm", [0, 1])
def test_an_activation_is_as_torch_has_it(agrees_with_torch: Check, norm: int) -> None:
    agrees_with_torch(made("normalised_activation", 5, (4, 3), norm=norm, activation="relu"))


def test_an_odd_size_cannot_be_reduced_two_ways() -> None:
    wrong = made("residual_reduction", 4, (5, 4), channels=4)
    with pytest.raises(WrongUse, match="an even number of rows and columns; got 5x4"):
        operator_of(wrong).macs(wrong)


def test_a_pool_needs_an_odd_kernel() -> None:
    wrong = made("max_pool", 4, (4, 4), kernel=2, stride=1)
    with pytest.raises(WrongUse, match="an odd kernel, which keeps the size at stride 1; got 2"):
        operator_of(wrong).macs(wrong)


def test_an_average_is_of_the_pixels_inside_the_picture() -> None:
    import torch

    ones = torch.ones(1, 2, 4, 4)
    assert torch.equal(build_module(made("average_pool", 2, (4, 4), kernel=3, stride=1))(ones), ones)


def test_a_relu_convolution_does_not_read_what_is_negative() -> None:
    import torch

    attributes = {"channels": 4, "kernel": 3, "stride": 1, "dilation": 1}
    module = build_module(made("relu_convolution", 3, (4, 4), **attributes)).eval()
    with torch.inference_mode():
        first, second = (module(torch.full((1, 3, 4, 4), value)) for value in (-1.0, -5.0))
    assert torch.equal(first, second)
