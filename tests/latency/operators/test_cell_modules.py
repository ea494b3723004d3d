"""Modules of cells compute what the papers say."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; these are its modules")
from torch import nn  # noqa: E402 - only once torch is known to be there
from torch.nn import functional  # noqa: E402

from latency.operators.cell_modules import ResidualReduction, separable_convolution  # noqa: E402 - it imports torch


def test_a_separable_convolution_is_applied_twice_with_the_stride_in_the_first() -> None:
    convolutions = [part for part in separable_convolution(4, 6, 5, 2).modules() if isinstance(part, nn.Conv2d)]
    described = [(c.in_channels, c.out_channels, c.kernel_size[0], c.stride[0], c.groups) for c in convolutions]
    assert described == [(4, 4, 5, 2, 4), (4, 6, 1, 1, 1), (6, 6, 5, 1, 6), (6, 6, 1, 1, 1)]


def test_a_reduction_adds_the_average_of_four_pixels_through_a_convolution() -> None:
    block = ResidualReduction(4, 6).eval()
    torch.nn.init.zeros_(block.body[-1][0].weight)
    x = torch.randn(2, 4, 6, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        by_hand = functional.conv2d(functional.avg_pool2d(x, 2), block.shortcut[1].weight)
        assert torch.allclose(block(x), by_hand, atol=1e-6)


def test_the_shortcut_has_no_normalisation() -> None:
    shortcut = ResidualReduction(4, 6).shortcut
    assert not any(isinstance(part, nn.BatchNorm2d) for part in shortcut.modules())
