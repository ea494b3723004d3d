"""Which device is meant, whatever there is."""

from __future__ import annotations

import pytest

from devices import NotAvailable, WrongUse
from search.compute_device import training_device

torch = pytest.importorskip("torch", reason="torch is not installed; it knows which GPUs there are")


@pytest.fixture(params=[0, 1, 2])
def gpus(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    count: int = request.param
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    return count


def test_the_gpu_is_taken_where_there_is_one(gpus: int) -> None:
    assert training_device("auto") == ("cuda:0" if gpus else "cpu")
    assert training_device("cpu") == "cpu"


def test_a_gpu_that_was_asked_for_must_be_there(gpus: int) -> None:
    if gpus:
        assert training_device("cuda", gpus - 1) == f"cuda:{gpus - 1}"
        return
    with pytest.raises(NotAvailable, match=r"finds no GPU to train on\. Give --device cpu, or install a build"):
        training_device("cuda")


def test_processes_share_no_gpu(gpus: int) -> None:
    if not gpus:
        assert training_device("auto", 3) == "cpu"
        return
    with pytest.raises(NotAvailable, match=f"there are {gpus}, and this would be number {gpus + 1}"):
        training_device("auto", gpus)


def test_what_was_said_before_means_the_same(gpus: int) -> None:
    if gpus:
        assert training_device(f"cuda:{gpus - 1}") == f"cuda:{gpus - 1}"
    with pytest.raises(NotAvailable):
        training_device(f"cuda:{gpus}")


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cuda:-1"])
def test_a_device_nobody_knows_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(WrongUse, match=f"no device to train on '{name}'.*auto, cpu"):
        training_device(name)
