"""The torch modules of the operators: what they compute, where torch is no second opinion by itself."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from latency import Workload, build_module, example_inputs, initialise, network_module
from tests.contracts.examples import OPERATOR_CASES, block, decoder, network, reduction


def module_of(workload: Workload) -> Any:
    """The module, whose parts have no types."""
    return build_module(workload)


@pytest.mark.parametrize("case", OPERATOR_CASES)
def test_every_operator_trains(case: str) -> None:
    workload = OPERATOR_CASES[case]
    module = module_of(workload)
    inputs = [x.repeat(2, 1, 1, 1).requires_grad_() for x in example_inputs(workload)]
    module(*inputs).square().sum().backward()
    assert all(torch.isfinite(tensor.grad).all() for tensor in (*inputs, *module.parameters()))


@pytest.mark.parametrize(
    ("changes", "added"), [({}, True), ({"stride": 2}, False), ({"channels": 12}, False), ({"groups": 2}, True)]
)
def test_the_input_is_added_exactly_where_shapes_stay(changes: dict[str, int], added: bool) -> None:
    workload = block(**changes)
    module = module_of(workload).eval()
    (x,) = example_inputs(workload)
    with torch.no_grad():
        branch = module.body(x)
        assert torch.equal(module(x), x + branch if added else branch)


def test_the_last_convolution_of_a_block_has_no_activation() -> None:
    workload = block(12)
    with torch.no_grad():
        assert build_module(workload).eval()(*example_inputs(workload)).min() < 0


def test_factorized_reduce_reads_every_second_pixel_and_those_beside_them() -> None:
    module = module_of(reduction(2, source=1, size=(4, 4))).eval()
    for half in (module.even, module.odd):
        nn.init.ones_(half[0].weight)
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    with torch.no_grad():
        even, odd = module(x)[0] * (1 + 1e-5) ** 0.5  # undoes the normalisation's epsilon
    torch.testing.assert_close(even, x[0, 0, ::2, ::2])
    torch.testing.assert_close(odd, x[0, 0, 1::2, 1::2])


@pytest.mark.parametrize("size", [(5, 5), (4, 5), (5, 4), (1, 1)])
def test_factorized_reduce_continues_an_odd_side_by_zeros(size: tuple[int, int]) -> None:
    module = module_of(reduction(4, size=size)).eval()
    (x,) = example_inputs(reduction(4, size=size))
    even = functional.pad(x, (0, size[1] % 2, 0, size[0] % 2))
    with torch.no_grad():
        assert torch.equal(module(x)[:, 2:], module(even)[:, 2:])


def test_factorized_reduce_takes_channels_last() -> None:
    workload = reduction(4, size=(8, 8))
    module = module_of(workload)
    (x,) = example_inputs(workload)
    y = x.to(memory_format=torch.channels_last).requires_grad_()
    torch.testing.assert_close(module(y), module(x))
    module(y).sum().backward()
    assert y.grad is not None


@pytest.mark.parametrize("operator", ["lr_aspp", "aspp"])
def test_a_decoder_reads_both_of_its_inputs(operator: str) -> None:
    workload = decoder(operator)
    module = module_of(workload).eval()
    x, low = example_inputs(workload)
    with torch.no_grad():
        scores = module(x, low)
        assert not torch.equal(module(x + 1, low), scores)
        assert not torch.equal(module(x, low + 1), scores)


def test_lr_aspp_gates_between_0_and_1() -> None:
    workload = decoder("lr_aspp")
    module = module_of(workload).eval()
    x, low = example_inputs(workload)
    nn.init.zeros_(module.low.weight)
    gates = [(1e4, 1.0), (-1e4, 0.0), (0.0, 0.5)]
    with torch.no_grad():
        nn.init.zeros_(module.gate.weight)
        outputs = []
        for bias, _ in gates:
            nn.init.constant_(module.gate.bias, bias)
            outputs.append(module(x, low))
    for output, (_, share) in zip(outputs, gates, strict=True):
        torch.testing.assert_close(output, share * outputs[0])


def test_a_network_hands_the_tapped_layer_to_the_decoder() -> None:
    class Pair(nn.Module):
        def forward(self, x: Tensor, low: Tensor) -> Tensor:
            return torch.cat([x, low], dim=1)

    class Add(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + 1

    for tap in range(3):
        output = network_module([Add(), Add(), Add()], tap, Pair())(torch.zeros(1, 1, 1, 1))
        assert output.flatten().tolist() == [3, tap + 1]


def test_a_network_shares_the_modules_it_is_made_of() -> None:
    layer, end = nn.Conv2d(3, 3, 1), nn.Bilinear(3, 3, 1)
    parameters = list(network_module([layer, layer], 0, end).parameters())
    assert [id(p) for p in parameters] == [id(p) for p in itertools.chain(layer.parameters(), end.parameters())]


def test_a_built_network_computes_what_its_layers_do_one_after_the_other() -> None:
    workload = network()
    module = module_of(workload).eval()
    (x,) = example_inputs(workload)
    with torch.no_grad():
        outputs = list(itertools.accumulate(module.encoder, lambda y, layer: layer(y), initial=x))
        assert torch.equal(module(x), module.decoder(outputs[-1], outputs[2]))


def test_weights_are_drawn_by_fan_out_and_biases_are_zero() -> None:
    convolution, norm = nn.Conv2d(64, 256, 3), nn.BatchNorm2d(256)
    initialise(nn.Sequential(convolution, norm))
    assert convolution.weight.std().item() == pytest.approx((2 / (256 * 9)) ** 0.5, rel=0.02)
    assert convolution.bias is not None
    assert not convolution.bias.any()
    assert torch.equal(norm.weight, torch.ones(256))
    assert torch.equal(norm.bias, torch.zeros(256))
