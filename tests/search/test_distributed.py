"""Processes that train together: what one alone does, how they meet, and that two are as good as one.

The run of two processes that the command line starts is in tests/paceline/commands/test_train.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from devices import NotAvailable, WrongUse
from latency import build_module
from search import Architecture, LabelledImages, Space, TrainRecipe, joined, train_network

torch = pytest.importorskip("torch", reason="torch is not installed; networks are trained with it")
from torch import Tensor, nn  # noqa: E402 - only once torch is known to be there

from search import distributed  # noqa: E402 - it imports torch
from search.distributed import ALONE, Ranks, together  # noqa: E402

MakeImages = Callable[[int], LabelledImages]


def test_a_process_without_others_has_everything_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    with joined("cpu") as ranks:
        assert ranks == ALONE
    assert (ranks.is_first, ranks.share) == (True, (0, 1))
    assert ranks.total(torch.tensor(3)).item() == 3
    assert ranks.total_counts(np.eye(2, dtype=np.int64)).tolist() == [[1, 0], [0, 1]]
    network = nn.BatchNorm2d(2)
    assert together(network, ranks) == (network, network)
    ranks.settle(network)
    ranks.wait()


def test_a_group_of_one_computes_what_no_group_does(
    tiny: Space, patches: MakeImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of what processes say to each other, in one: the backend, the parted loss, the settled statistics."""
    workload = tiny.network(Architecture("tiny", (0, 2, 11, 12)))
    alone, grouped = (build_module(workload) for _ in range(2))
    recipe = TrainRecipe(steps=3, batch_size=2)
    train_network(alone, patches(4), recipe, 0, tmp_path / "alone")
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        # One process that takes itself for several parts of one.
        monkeypatch.setattr(Ranks, "share", property(lambda ranks: (0, 1)))
        monkeypatch.setattr(distributed.Ranks, "total", _twice)
        train_network(grouped, patches(4), recipe, 0, tmp_path / "grouped", ranks=Ranks(0, 2))
    finally:
        torch.distributed.destroy_process_group()
    for first, second in zip(alone.state_dict().values(), grouped.state_dict().values(), strict=True):
        torch.testing.assert_close(first, second)


def _twice(ranks: Ranks, value: Tensor) -> Tensor:
    """As if another process had the same."""
    value = value.clone()
    torch.distributed.all_reduce(value)
    return ranks.count * value


def test_statistics_become_their_mean_over_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    network[1].running_mean.copy_(torch.tensor([1.0, 3.0]))
    before = network[0].weight.clone()
    monkeypatch.setattr(Ranks, "total", lambda ranks, value: value + torch.tensor([3.0, 5.0, 2.0, 4.0]))
    Ranks(0, 2).settle(network)
    assert network[1].running_mean.tolist() == [2.0, 4.0]
    assert network[1].running_var.tolist() == [1.5, 2.5]
    assert network[1].num_batches_tracked.item() == 0
    assert torch.equal(network[0].weight, before)


def test_processes_that_see_different_checkpoints_are_told(
    tiny: Space, patches: MakeImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = build_module(tiny.network(Architecture("tiny", (0, 2, 11, 12))))
    monkeypatch.setattr("search.training.together", lambda network, ranks: (network, network))
    monkeypatch.setattr(Ranks, "total", lambda ranks, value: value + 4)
    with pytest.raises(WrongUse, match="must be the same file to all processes"):
        train_network(network, patches(4), TrainRecipe(steps=3, batch_size=2), 0, tmp_path / "c", ranks=Ranks(0, 2))


@pytest.mark.parametrize(("asked", "gpus", "local"), [("cuda", 1, 1), ("auto", 2, 2)])
def test_each_process_needs_a_gpu_of_its_own(
    monkeypatch: pytest.MonkeyPatch, asked: str, gpus: int, local: int
) -> None:
    monkeypatch.setenv("LOCAL_RANK", str(local))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    with pytest.raises(NotAvailable, match=f"there are {gpus}, and this would be number {local + 1}"), joined(asked):
        pass


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ((), "RANK and MASTER_ADDR and MASTER_PORT are not set"),
        (("MASTER_ADDR", "MASTER_PORT"), "says 4 processes, and RANK is not set: start them by torchrun, or unset"),
    ],
)
def test_processes_that_nobody_started_are_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, told: tuple[str, ...], said: str
) -> None:
    for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("WORLD_SIZE", *told):
        monkeypatch.setenv(name, "4")
    with pytest.raises(WrongUse, match=said), joined("cpu"):
        pass


def test_a_device_is_one_of_those_that_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WrongUse, match="no device to train on 'gpu'"), joined("gpu"):
        pass
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with joined("auto") as ranks:
        assert ranks == replace(ALONE, device="cuda:0")
