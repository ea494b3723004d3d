"""Checkpoints: there and back to the bit, whole or not at all, and nothing foreign taken for one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from devices import WrongUse
from search.checkpoint import (
    layers_digest,
    load_checkpoint,
    module_tensors,
    optimizer_tensors,
    restore_module,
    restore_optimizer,
    save_checkpoint,
)

torch = pytest.importorskip("torch", reason="torch is not installed; checkpoints hold its tensors")
from torch import nn  # noqa: E402 - only once torch is known to be there

VALUES = {"step": 3, "rate": 0.1 + 0.2, "name": "ü", "steps": [1, 2], "nothing": None}


def saved(path: Path) -> Path:
    save_checkpoint(path, {"a.weight": torch.arange(6.0).reshape(2, 3), "count": torch.tensor(7)}, VALUES)
    return path


def test_tensors_and_values_survive_the_file(tmp_path: Path) -> None:
    tensors, values = load_checkpoint(saved(tmp_path / "runs" / "new.safetensors"))
    assert values == VALUES
    assert set(tensors) == {"a.weight", "count"}
    assert torch.equal(tensors["a.weight"], torch.arange(6.0).reshape(2, 3))
    assert tensors["count"].shape == ()
    assert tensors["count"].dtype == torch.int64


def test_views_and_tensors_with_gradients_can_be_saved(tmp_path: Path) -> None:
    whole = torch.arange(6.0, requires_grad=True)
    save_checkpoint(tmp_path / "c", {"turned": whole.reshape(2, 3).T}, {})
    assert torch.equal(load_checkpoint(tmp_path / "c")[0]["turned"], torch.arange(6.0).reshape(2, 3).T)


def test_nothing_is_left_beside_the_file(tmp_path: Path) -> None:
    saved(tmp_path / "c.safetensors")
    saved(tmp_path / "c.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["c.safetensors"]


def test_killed_while_writing_the_old_checkpoint_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "c.safetensors")

    def torn(_: object, file: Path, **__: object) -> None:
        file.write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("safetensors.torch.save_file", torn)
        with pytest.raises(KeyboardInterrupt):
            save_checkpoint(path, {"a": torch.ones(1)}, {"step": 4})
    assert load_checkpoint(path)[1] == VALUES
    save_checkpoint(path, {"a": torch.ones(1)}, {"step": 4})
    assert load_checkpoint(path)[1] == {"step": 4}
    assert [found.name for found in tmp_path.iterdir()] == ["c.safetensors"]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path: Path, share: float) -> None:
    path = saved(tmp_path / "c.safetensors")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(WrongUse, match=r"c\.safetensors is no checkpoint .*Move it away to begin anew"):
        load_checkpoint(path)


@pytest.mark.parametrize("data", [b"text", b"\0" * 64, b"{}" * 40])
def test_another_kind_of_file_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "c").write_bytes(data)
    with pytest.raises(WrongUse, match="is no checkpoint"):
        load_checkpoint(tmp_path / "c")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="is no checkpoint"):
        load_checkpoint(tmp_path / "none")


@pytest.mark.parametrize("metadata", [None, {}, {"values": "no JSON"}])
def test_tensors_of_somebody_else_are_refused(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    from safetensors.torch import save_file

    save_file({"a": torch.ones(1)}, tmp_path / "c", metadata=metadata)
    with pytest.raises(WrongUse, match="is no checkpoint"):
        load_checkpoint(tmp_path / "c")


@pytest.mark.parametrize("values", ["{}", "[]", '{"schema": 2}'])
def test_another_version_is_refused(tmp_path: Path, values: str) -> None:
    from safetensors.torch import save_file

    save_file({"a": torch.ones(1)}, tmp_path / "c", metadata={"values": values})
    with pytest.raises(WrongUse, match="was written by another version"):
        load_checkpoint(tmp_path / "c")


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def test_a_module_gets_its_weights_and_statistics_back() -> None:
    trained, fresh = network(), network()
    trained(torch.randn(5, 3)).sum().backward()
    with torch.no_grad():
        for weight in trained.parameters():
            weight.add_(1)
    restore_module("net", fresh, {**module_tensors("net", trained), "network.0.weight": torch.zeros(1)})
    assert all(torch.equal(value, fresh.state_dict()[name]) for name, value in trained.state_dict().items())


@pytest.mark.parametrize(
    "make",
    [
        lambda weights: torch.optim.SGD(weights, 0.1, momentum=0.9, weight_decay=1e-4),
        lambda weights: torch.optim.SGD(weights, 0.1),
        lambda weights: torch.optim.Adam(weights, 0.1, betas=(0.5, 0.999)),
    ],
    ids=["momentum", "no momentum", "Adam"],
)
def test_an_optimizer_goes_on_as_if_it_had_never_stopped(
    tmp_path: Path, make: Callable[..., torch.optim.Optimizer]
) -> None:
    def train(module: nn.Module, optimizer: torch.optim.Optimizer, steps: range) -> None:
        for step in steps:
            optimizer.zero_grad()
            module(torch.full((4, 3), 0.1 * step) + torch.arange(4.0)[:, None]).square().sum().backward()
            optimizer.step()

    whole, begun, resumed = network(), network(), network()
    train(whole, make(whole.parameters()), range(6))
    optimizer = make(begun.parameters())
    train(begun, optimizer, range(3))
    save_checkpoint(tmp_path / "c", {**module_tensors("n", begun), **optimizer_tensors("o", optimizer)}, {})
    tensors, _ = load_checkpoint(tmp_path / "c")
    optimizer = make(resumed.parameters())
    restore_module("n", resumed, tensors)
    restore_optimizer("o", optimizer, tensors)
    train(resumed, optimizer, range(3, 6))
    assert all(torch.equal(value, resumed.state_dict()[name]) for name, value in whole.state_dict().items())


def test_an_optimizer_that_has_not_begun_has_nothing_to_save() -> None:
    optimizer = torch.optim.Adam(network().parameters(), 0.1)
    assert optimizer_tensors("o", optimizer) == {}
    restore_optimizer("o", optimizer, {})
    assert optimizer.param_groups[0]["lr"] == 0.1


def test_a_checkpoint_that_cannot_be_written_is_named_and_the_old_one_stays(tmp_path: Path) -> None:
    path = saved(tmp_path / "c.safetensors")
    before = path.read_bytes()
    (tmp_path / "c.safetensors.part").mkdir()
    with pytest.raises(OSError, match=r"c\.safetensors cannot be written"):
        saved(path)
    assert path.read_bytes() == before


def test_layers_are_known_by_what_their_weights_do_not_show() -> None:
    plain, drawn, dilated = (nn.Conv2d(1, 1, 3, dilation=dilation) for dilation in (1, 1, 2))
    assert layers_digest(plain) == layers_digest(drawn)
    assert layers_digest(plain) != layers_digest(dilated)
    assert len(layers_digest(plain)) == 16


def test_whoever_may_read_other_new_files_may_read_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    assert saved(tmp_path / "c.safetensors").stat().st_mode == (tmp_path / "other").stat().st_mode
