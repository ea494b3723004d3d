"""Single convolutions: their arithmetic against what torch builds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices import WrongUse
from latency import Workload, build_module, example_inputs, operator_of
from latency.operators.layer import Window

Check = Callable[[Workload], None]

STEADY = settings(max_examples=25)


def convolution(source: int = 8, size: int = 6, batch: int = 1, *, fused: bool = False, **attributes: int) -> Workload:
    described = {"channels": 8, "kernel": 3, "stride": 1, "groups": 1, **attributes}
    inputs = ((source, size, size),)
    if not fused:
        return Workload("grouped_convolution", inputs, described, batch=batch)
    side = -(-size // described["stride"])
    shortcut = (described["channels"], side, side)
    return Workload("residual_convolution", (*inputs, shortcut), described, batch=batch)


@STEADY
@given(
    source=st.integers(1, 6),
    channels=st.integers(1, 6),
    groups=st.integers(1, 4),
    size=st.integers(1, 20),
    kernel=st.sampled_from([1, 3, 5]),
    stride=st.integers(1, 2),
    fused=st.booleans(),
)
def test_a_convolution_is_as_torch_has_it(
    agrees_with_torch: Check, source: int, channels: int, groups: int, fused: bool, **numbers: int
) -> None:
    agrees_with_torch(convolution(source * groups, fused=fused, channels=channels * groups, groups=groups, **numbers))


def test_a_depthwise_convolution_has_one_weight_for_each_channel_and_pixel_of_the_kernel() -> None:
    depthwise = convolution(channels=8, groups=8)
    assert operator_of(depthwise).macs(depthwise) == 6 * 6 * 8 * 9


def test_its_layer_tells_how_it_reads() -> None:
    depthwise = convolution(channels=8, groups=8, stride=2)
    (layer,) = operator_of(depthwise).layers(depthwise)
    assert layer.window == Window((8, 6, 6), kernel=3, stride=2, groups=8)


def test_what_is_added_is_read_and_costs_no_multiplication() -> None:
    plain, fused = convolution(), convolution(fused=True)
    assert operator_of(fused).macs(fused) == operator_of(plain).macs(plain)
    more = operator_of(fused).activation_bytes(fused) - operator_of(plain).activation_bytes(plain)
    assert more == 8 * 6 * 6 * 4


def test_the_sum_is_of_the_convolution_and_the_second_input() -> None:
    import torch

    workload = convolution(fused=True)
    module = build_module(workload).eval()
    x, shortcut = example_inputs(workload)
    with torch.no_grad():
        without = module(x, torch.zeros_like(shortcut) - 1e6)
        assert not without.any()  # ReLU comes last
        assert torch.allclose(module(x, shortcut + 1e3) - module(x, shortcut + 2e3), torch.tensor(-1e3), atol=1e-1)


def test_a_second_input_of_another_shape_is_refused() -> None:
    attributes = {"channels": 8, "kernel": 3, "stride": 2, "groups": 1}
    wrong = Workload("residual_convolution", ((8, 6, 6), (8, 6, 6)), attributes)
    with pytest.raises(WrongUse, match=r"must have its shape, \(8, 3, 3\)"):
        operator_of(wrong).macs(wrong)
