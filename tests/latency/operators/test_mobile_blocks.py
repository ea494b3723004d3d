"""Operators of mobile networks: their arithmetic against what torch builds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices import WrongUse
from latency import Value, Workload, operator_of
from latency.operators.mobile_blocks import ACTIVATIONS, squeezed

Check = Callable[[Workload], None]

SIZES = st.integers(1, 20)
CHANNELS = st.integers(1, 24)
STEADY = settings(max_examples=40)


def block(source: int = 8, size: int = 8, **changes: Value) -> Workload:
    plain = {"channels": 8, "kernel": 3, "stride": 1, "hidden": 24, "activation": "relu6", "skip": 0, "se": 0}
    return Workload("mbconv", ((source, size, size),), {**plain, **changes})


@STEADY
@given(
    source=CHANNELS,
    size=SIZES,
    channels=CHANNELS,
    hidden=st.integers(1, 80),
    kernel=st.sampled_from([3, 5, 7]),
    stride=st.integers(1, 2),
    activation=st.sampled_from(ACTIVATIONS),
    se=st.integers(0, 1),
)
def test_a_mobile_block_is_as_torch_has_it(agrees_with_torch: Check, **values: int) -> None:
    agrees_with_torch(block(**values))


@STEADY
@given(CHANNELS, SIZES, CHANNELS, st.integers(1, 2), st.integers(0, 1), st.sampled_from(ACTIVATIONS))
def test_an_activated_convolution_is_as_torch_has_it(
    agrees_with_torch: Check, source: int, size: int, channels: int, stride: int, norm: int, activation: str
) -> None:
    attributes = {"channels": channels, "kernel": 3, "stride": stride, "norm": norm, "activation": activation}
    agrees_with_torch(Workload("activated_convolution", ((source, size, size),), attributes))


@STEADY
@given(CHANNELS, SIZES, SIZES, st.integers(1, 20), st.integers(1, 3))
def test_a_classifier_is_as_torch_has_it(
    agrees_with_torch: Check, source: int, height: int, width: int, classes: int, batch: int
) -> None:
    attributes = {"classes": classes, "pool": 1}
    agrees_with_torch(Workload("classifier", ((source, height, width),), attributes, batch=batch))


@STEADY
@given(CHANNELS, SIZES, SIZES)
def test_a_global_pool_is_as_torch_has_it(agrees_with_torch: Check, source: int, height: int, width: int) -> None:
    agrees_with_torch(Workload("global_average_pool", ((source, height, width),)))


def test_a_classifier_counts_a_weight_for_each_channel_and_class() -> None:
    workload = Workload("classifier", ((1280, 7, 7),), {"classes": 1000, "pool": 1})
    assert operator_of(workload).macs(workload) == 1_280_000
    assert operator_of(workload).parameters(workload) == 1_281_000


def test_with_as_many_hidden_as_input_channels_there_is_no_first_convolution() -> None:
    with_, without = block(hidden=24), block(source=24, hidden=24)
    assert [len(operator_of(w).layers(w)) for w in (with_, without)] == [3, 2]


def test_an_input_that_is_added_costs_nothing() -> None:
    plain, adding = block(), block(skip=1)
    assert operator_of(adding).layers(adding) == operator_of(plain).layers(plain)


@pytest.mark.parametrize("changes", [{"stride": 2}, {"channels": 12}])
def test_an_input_of_another_shape_cannot_be_added(changes: dict[str, int]) -> None:
    wrong = block(skip=1, **changes)
    with pytest.raises(WrongUse, match="adds its input to an output of the same shape"):
        operator_of(wrong).macs(wrong)


@pytest.mark.parametrize("name", ["skip", "se"])
def test_a_flag_is_0_or_1(name: str) -> None:
    wrong = block(**{name: 2})
    with pytest.raises(WrongUse, match=f"takes 0 or 1 as {name}; got 2"):
        operator_of(wrong).macs(wrong)


def test_an_unknown_activation_is_refused_with_the_nearest_name() -> None:
    wrong = block(activation="h_swishh")
    with pytest.raises(WrongUse, match=r"no activation 'h_swishh'. Did you mean 'h_swish'"):
        operator_of(wrong).macs(wrong)


def test_a_classifier_of_many_pixels_needs_a_pool() -> None:
    wrong = Workload("classifier", ((8, 2, 2),), {"classes": 3, "pool": 0})
    with pytest.raises(WrongUse, match="reads one pixel; got 2x2"):
        operator_of(wrong).macs(wrong)


@pytest.mark.parametrize(
    ("hidden", "middle"), [(8, 8), (72, 24), (96, 24), (120, 32), (240, 64), (288, 72), (672, 168)]
)
def test_the_middle_of_squeeze_and_excitation_is_a_quarter_in_eights(hidden: int, middle: int) -> None:
    assert squeezed(hidden) == middle
