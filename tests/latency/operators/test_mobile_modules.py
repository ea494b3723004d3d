"""Modules of mobile networks compute what their names say."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; these are its modules")
from torch import Tensor, nn  # noqa: E402 - only once torch is known to be there

from latency.operators.mobile_modules import (  # noqa: E402 - it imports torch
    Excitation,
    MobileBlock,
    activated_convolution,
    activation,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("none", [-4.0, -1.0, 2.0, 8.0]),
        ("relu", [0.0, 0.0, 2.0, 8.0]),
        ("relu6", [0.0, 0.0, 2.0, 6.0]),
        ("h_swish", [0.0, -1 / 3, 5 / 3, 8.0]),
    ],
)
def test_activations_are_those_of_their_names(name: str, expected: list[float]) -> None:
    assert torch.allclose(activation(name)(torch.tensor([-4.0, -1.0, 2.0, 8.0])), torch.tensor(expected))


def block(*, skip: bool, squeeze: int | None = None, hidden: int = 24) -> MobileBlock:
    return MobileBlock(8, 8, 3, 1, hidden, "relu6", skip=skip, squeeze=squeeze).eval()


@pytest.fixture
def x() -> Tensor:
    return torch.randn(2, 8, 5, 5, generator=torch.Generator().manual_seed(0))


def test_the_input_is_added_where_it_is_asked_for(x: Tensor) -> None:
    adding, plain = block(skip=True), block(skip=False)
    plain.load_state_dict(adding.state_dict())
    with torch.inference_mode():
        assert torch.allclose(adding(x), plain(x) + x)


def test_the_last_convolution_has_no_activation(x: Tensor) -> None:
    with torch.inference_mode():
        assert (block(skip=False)(x) < 0).any()


def test_excitation_scales_whole_channels(x: Tensor) -> None:
    with torch.inference_mode():
        shares = Excitation(8, 4)(x) / x
    assert torch.allclose(shares, shares.mean(dim=(2, 3), keepdim=True).expand_as(shares), atol=1e-4)
    assert ((shares >= 0) & (shares <= 1 + 1e-6)).all()


def test_a_convolution_without_norm_has_none() -> None:
    kinds = {
        norm: [type(part) for part in activated_convolution(3, 4, 3, 2, activation="relu", norm=norm)]
        for norm in (True, False)
    }
    assert kinds == {True: [nn.Conv2d, nn.BatchNorm2d, nn.ReLU], False: [nn.Conv2d, nn.ReLU]}
