"""Half the bits: what is computed in them, what is not, and the scale of the loss."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; networks are trained with it")
from torch import Tensor, nn  # noqa: E402 - only once torch is known to be there

from search.mixed_precision import MixedPrecision  # noqa: E402 - it imports torch


class Seen(nn.Module):
    """A convolution that remembers the number format it wrote."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(2, 2, 1, bias=False)
        self.wrote: list[torch.dtype] = []

    def forward(self, pictures: Tensor) -> Tensor:
        scores: Tensor = self.convolution(pictures)
        self.wrote.append(scores.dtype)
        return scores


@pytest.fixture
def seen() -> Seen:
    torch.manual_seed(0)
    return Seen()


@pytest.mark.parametrize(
    ("name", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)]
)
def test_convolutions_are_computed_in_it_and_weights_and_scores_are_not(
    seen: Seen, name: str, dtype: torch.dtype
) -> None:
    precision, pictures = MixedPrecision(name, "cpu"), torch.randn(2, 2, 4, 4)
    scores = precision.scores(seen, pictures)
    assert seen.wrote == [dtype]
    assert scores.dtype is seen.convolution.weight.dtype is torch.float32
    torch.testing.assert_close(scores, seen(pictures), atol=0.03, rtol=0.03)


def stepped(name: str, loss_scale: float = 1.0, clip: float = 0.0, times: int = 1) -> tuple[Tensor, MixedPrecision]:
    """A weight after steps along a gradient of (3, 4), scaled."""
    weight = nn.Parameter(torch.zeros(2))
    optimizer, precision = torch.optim.SGD([weight], lr=1.0), MixedPrecision(name, "cpu")
    for _ in range(times):
        optimizer.zero_grad()
        precision.step((weight * torch.tensor([3.0, 4.0]) * loss_scale).sum(), optimizer, clip)
    return weight.detach(), precision


@pytest.mark.parametrize("name", ["fp32", "bf16", "fp16"])
def test_a_step_follows_the_gradient_of_the_loss_and_not_of_its_scale(name: str) -> None:
    torch.testing.assert_close(stepped(name)[0], torch.tensor([-3.0, -4.0]))


@pytest.mark.parametrize("name", ["fp32", "fp16"])
def test_a_gradient_is_shortened_to_the_norm_it_may_have(name: str) -> None:
    torch.testing.assert_close(stepped(name, clip=1.0)[0], torch.tensor([-0.6, -0.8]))
    torch.testing.assert_close(stepped(name, clip=100.0)[0], torch.tensor([-3.0, -4.0]))


def test_a_step_whose_gradient_overflows_is_left_out_and_the_scale_halved() -> None:
    weight, precision = stepped("fp16", loss_scale=math.inf)
    assert weight.tolist() == [0.0, 0.0]
    assert precision.tensors()["scaler.scale"].item() == stepped("fp16")[1].tensors()["scaler.scale"].item() / 2


def test_the_scale_is_remembered_and_nothing_else_has_one() -> None:
    assert stepped("fp32")[1].tensors() == stepped("bf16")[1].tensors() == {}
    _, begun = stepped("fp16", loss_scale=math.inf, times=3)
    resumed = MixedPrecision("fp16", "cpu")
    assert resumed.tensors() != begun.tensors()
    resumed.restore(begun.tensors())
    assert {name: tensor.item() for name, tensor in resumed.tensors().items()} == {
        name: tensor.item() for name, tensor in begun.tensors().items()
    }
