"""Layers on paper: the counting convention."""

from __future__ import annotations

import pytest

from latency import Layer
from latency.operators.layer import convolution, output_size


@pytest.mark.parametrize(("size", "stride", "expected"), [(8, 1, 8), (8, 2, 4), (9, 2, 5), (1, 2, 1), (7, 3, 3)])
def test_a_size_is_rounded_up_after_a_stride(size: int, stride: int, expected: int) -> None:
    assert output_size(size, stride) == expected


def test_a_convolution_is_counted_by_hand() -> None:
    # 10 x 5 pixels of 12 channels, each from 3 x 3 x 8 / 4 weights; 216 weights, and 2 x 12 of the normalisation
    layer = convolution((8, 10, 10), 12, 3, stride=1, groups=4)
    assert layer == Layer(output=(12, 10, 10), macs=100 * 216, parameters=216 + 24)
    assert convolution((8, 10, 9), 12, 3, stride=2, groups=4) == Layer((12, 5, 5), 25 * 216, 216 + 24)


def test_bias_and_normalisation_have_parameters_and_no_macs() -> None:
    plain = convolution((8, 4, 4), 6, norm=False)
    assert convolution((8, 4, 4), 6, norm=False, bias=True) == Layer(plain.output, plain.macs, plain.parameters + 6)
    assert convolution((8, 4, 4), 6) == Layer(plain.output, plain.macs, plain.parameters + 12)


def test_a_layer_is_free_unless_it_says_otherwise() -> None:
    assert (Layer((1, 2, 3)).macs, Layer((1, 2, 3)).parameters) == (0, 0)
