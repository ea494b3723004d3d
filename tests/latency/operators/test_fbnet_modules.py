"""FBNet's modules compute what their names say."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; these are its modules")

from latency.operators.fbnet_modules import (  # noqa: E402 - it imports torch
    ChannelShuffle,
    DoubleDepthwiseResidual,
    ShuffledResidual,
)


def test_a_shuffle_deals_the_channels_of_each_group_out() -> None:
    x = torch.arange(6.0).reshape(1, 6, 1, 1)
    assert ChannelShuffle(2)(x).flatten().tolist() == [0, 3, 1, 4, 2, 5]
    assert ChannelShuffle(3)(x).flatten().tolist() == [0, 2, 4, 1, 3, 5]


def test_torch_shuffles_so_too() -> None:
    x = torch.randn(2, 12, 3, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(ChannelShuffle(4)(x), torch.nn.functional.channel_shuffle(x, 4))


def test_with_the_shuffle_every_output_depends_on_every_input_channel() -> None:
    """Without it, half of the channels would never see the other half."""
    with torch.random.fork_rng():
        torch.manual_seed(0)  # By some weights both hidden channels of a group are zero everywhere.
        block = ShuffledResidual(4, 4, 3, 2, 2, 2).eval()
    x = torch.randn(1, 4, 5, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()
    for channel in range(4):
        (gradient,) = torch.autograd.grad(block(x)[0, channel].sum(), x)
        assert (gradient.abs().sum(dim=(0, 2, 3)) > 0).sum() > 2


@pytest.mark.parametrize("make", [lambda *at: ShuffledResidual(*at, 3, 2), lambda *at: DoubleDepthwiseResidual(*at, 3)])
@pytest.mark.parametrize(("channels", "stride", "adds"), [(4, 1, True), (4, 2, False), (6, 1, False)])
def test_the_input_is_added_exactly_where_the_shape_stays(make: object, channels: int, stride: int, adds: bool) -> None:
    block = make(4, channels, 3, stride)  # type: ignore[operator]
    assert block.has_residual is adds
    torch.nn.init.zeros_(block.body[-1][0].weight)
    x = torch.randn(1, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        written = block.eval()(x)
    assert torch.equal(written, x) if adds else not written.any()


def test_there_is_a_relu_after_each_depthwise_convolution() -> None:
    kinds = [type(part).__name__ for part in DoubleDepthwiseResidual(4, 4, 3, 1, 3).modules()]
    assert kinds.count("ReLU") == 3
