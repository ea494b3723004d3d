"""The moving average: of weights and statistics, over a short past at first, and back from a checkpoint."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; weights are its tensors")
from torch import nn  # noqa: E402 - only once torch is known to be there

from search.averaging import WeightAverage  # noqa: E402 - it imports torch


@pytest.fixture
def network() -> nn.Module:
    made = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.BatchNorm2d(1))
    made[0].weight.data.fill_(0.0)
    return made


def moved(network: nn.Module, to: float) -> nn.Module:
    network[0].weight.data.fill_(to)
    network[1].running_mean.fill_(-to)
    network[1].num_batches_tracked += 1
    return network


def test_each_step_takes_in_its_share(network: nn.Module) -> None:
    average, expected = WeightAverage(network, decay=0.5), 0.0
    for step, weight in enumerate((1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)):
        average.update(moved(network, weight), step)
        keep = min(0.5, (1 + step) / (10 + step))
        expected = keep * expected + (1 - keep) * weight
    tensors = average.tensors("network")
    assert tensors["network.0.weight"].item() == pytest.approx(expected)
    assert tensors["network.1.running_mean"].item() == pytest.approx(-expected), "batch-norm statistics as well"
    assert tensors["network.1.num_batches_tracked"].item() == 10


def test_what_a_short_training_began_with_is_soon_forgotten(network: nn.Module) -> None:
    """With a decay of 0.999 alone, 97 % of the first weights would be left after 30 steps."""
    average = WeightAverage(network, decay=0.999)
    for step in range(30):
        average.update(moved(network, 1.0), step)
    assert average.tensors("n")["n.0.weight"].item() > 0.99


def test_the_network_itself_is_left_alone_until_it_is_given_the_average(network: nn.Module) -> None:
    average = WeightAverage(network, decay=0.5)
    average.update(moved(network, 10.0), step=0)
    assert network[0].weight.item() == 10.0
    average.put_into(network)
    assert network[0].weight.item() == pytest.approx(9.0)
    network[0].weight.data.fill_(3.0)
    assert average.tensors("n")["n.0.weight"].item() == pytest.approx(9.0), "they share no memory"


def test_it_goes_on_from_what_it_was(network: nn.Module) -> None:
    first = WeightAverage(network, decay=0.9)
    first.update(moved(network, 5.0), step=0)
    second = WeightAverage(network, decay=0.9)
    second.restore("network", {name: tensor.clone() for name, tensor in first.tensors("network").items()})
    moved(network, 7.0)
    for average in (first, second):
        average.update(network, step=1)
    for name, tensor in first.tensors("network").items():
        assert torch.equal(second.tensors("network")[name], tensor)
