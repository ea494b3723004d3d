"""Where a search runs makes no difference to what it draws, and a checkpoint goes on anywhere.

Most of it is tried on a device that is none (``other_device.py``), which refuses what a GPU refuses and computes as the
CPU does; what kernels of a GPU compute is for the test with a GPU.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from devices import NotAvailable
from search import DifferentiableSearch, LabelledImages, Objective, SearchRecipe, Space, TrainedFromScratch, TrainRecipe
from search.checkpoint import load_checkpoint

torch = pytest.importorskip("torch", reason="torch is not installed; the search trains with it")

from search.path_modes import PATH_MODES  # noqa: E402 - only once torch is known to be there
from search.supernet import Policy, Supernet, uniform_paths  # noqa: E402 - needs torch as well
from tests.search.other_device import NAME, OtherDevice  # noqa: E402 - needs torch as well

MakeImages = Callable[[int], LabelledImages]
MakeSearch = Callable[..., DifferentiableSearch]
RECIPE = SearchRecipe(warm_up_steps=1, alternating_steps=2, batch_size=2, candidates=2, recalibration_batches=1)
SEVERAL = [{"paths": paths} for paths in PATH_MODES] + [{"paths": "two", "draws": "image", "channels_last": True}]

LEARNING = [recipe for recipe in SEVERAL if recipe["paths"] != "drawn"]
"""Without gradients that are rounding and nothing else, which Adam would make steps of all the same."""


def words(recipe: dict[str, Any]) -> str:
    return " ".join(map(str, recipe.values()))


@pytest.fixture(scope="module")
def small(tiny: Space) -> Space:
    """The tiny space with three candidates for each unit, one of them of two groups and the last the least."""
    units = tuple(replace(unit, candidates=tuple(unit.candidates[i] for i in (1, 7, 12))) for unit in tiny.units)
    return replace(tiny, name="small", units=units, reference=(1,) * len(units))


@pytest.fixture
def made(small: Space, patches: MakeImages, tmp_path: Path) -> MakeSearch:
    """Makes a search on MACs of the small space."""

    def make(name: str, device: str = "cpu", **recipe: Any) -> DifferentiableSearch:
        objective, images = Objective.macs(small), (patches(5), patches(2))
        settings = replace(RECIPE, **recipe)
        return DifferentiableSearch(
            *(objective, objective.limit("80%"), *images, settings, 1, tmp_path / name), device=device
        )

    return make


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[OtherDevice]:
    """The other device, which ``cuda`` stands for. It has no autocast, which only bf16 needs."""
    for module in ("differentiable", "evaluators.from_scratch"):
        monkeypatch.setattr(f"search.{module}.training_device", {"cpu": "cpu", "cuda": NAME}.__getitem__)
    monkeypatch.setattr(torch, "autocast", lambda *_, enabled: nullcontext())
    monkeypatch.setattr("search.differentiable.CHECKPOINT_EVERY_S", 1e9)  # One between two steps copies weights.
    with OtherDevice() as device:
        yield device


@pytest.mark.parametrize("recipe", [{"loss": "proxylessnas_multiply"}, *SEVERAL], ids=words)
def test_nothing_is_on_the_wrong_device_and_the_same_is_found_to_the_bit(
    made: MakeSearch, elsewhere: OtherDevice, tmp_path: Path, recipe: dict[str, Any]
) -> None:
    found = made("here", **recipe).search()
    assert elsewhere.operations == 0
    waits = [0]

    def tell(stage: str, *_: object) -> None:
        if stage == "supernet":
            waits.append(elsewhere.waits.total())

    assert made("there", "cuda", **recipe).search(tell) == found
    assert elsewhere.operations > 1000
    assert (tmp_path / "there").read_bytes() == (tmp_path / "here").read_bytes()
    # A step on the weights asks for none of a GPU's numbers. One on the policy does when the gradients come back, that
    # of the mixture and that of the expected cost. How often images are waited for that go there is not seen here.
    assert [after - before for before, after in pairwise(waits)] == [0, 2, 2]


def test_a_search_goes_on_on_another_device(
    made: MakeSearch, elsewhere: OtherDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.differentiable.CHECKPOINT_EVERY_S", -1.0)
    whole = made("whole").search()

    def stop(at: int) -> Callable[..., None]:
        def tell(stage: str, done: int, *_: object) -> None:
            if (stage, done) == ("supernet", at):
                raise KeyboardInterrupt

        return tell

    for device, at in (("cuda", 1), ("cpu", 2)):
        with pytest.raises(KeyboardInterrupt):
            made("moved", device).search(stop(at))
        assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("images")]
    assert made("moved", "cuda").search() == whole
    assert elsewhere.operations > 1000
    assert (tmp_path / "moved").read_bytes() == (tmp_path / "whole").read_bytes()


@pytest.mark.parametrize("paths", PATH_MODES)
def test_a_policy_draws_the_same_wherever_it_is(small: Space, elsewhere: OtherDevice, paths: str) -> None:
    mode, supernet = PATH_MODES[paths], Supernet(small)
    here, there = (Policy(torch.from_numpy(small.macs.astype(float)), 0.0).to(device) for device in ("cpu", NAME))
    images = torch.randn(2, 3, *small.input_size)
    scores, drawn = [], []
    for policy in (here, there):
        generator = torch.Generator().manual_seed(4)
        paths_drawn = mode.policy_paths(policy, 1.0, generator, 2)
        weights = [mode.weights_mixture(policy, 1.0, generator, 1), uniform_paths(policy, generator)]
        drawn.append([each.detach().cpu() for each in (paths_drawn.mixture, paths_drawn.left_out, *weights)])
        scores.append(supernet(images, paths_drawn.mixture, paths_drawn.left_out))
        scores[-1].sum().backward()
    assert all(torch.equal(*pair) for pair in zip(*drawn, strict=True))
    assert elsewhere.operations > 0
    assert torch.equal(*scores)
    assert here.logits.grad is not None
    assert there.logits.grad is not None
    assert torch.equal(there.logits.grad.cpu(), here.logits.grad)


def test_networks_are_trained_from_scratch_there_and_score_the_same(
    small: Space, patches: MakeImages, elsewhere: OtherDevice, tmp_path: Path
) -> None:
    recipe = TrainRecipe(steps=3, batch_size=2)
    here, there = (
        TrainedFromScratch(small, patches(4), patches(2), recipe, 1, tmp_path, device=device)
        for device in ("cpu", "cuda")
    )
    score = here.score((2, 1, 0, 0))
    assert elsewhere.operations == 0
    assert there.score((2, 1, 0, 0)) == score
    assert elsewhere.operations > 100
    assert there.key == here.key


def test_the_stand_in_refuses_what_a_gpu_refuses(elsewhere: OtherDevice) -> None:
    there = torch.ones(2).to(NAME)
    with pytest.raises(AssertionError, match="mixes devices"):
        there + torch.ones(2)
    assert (there + torch.tensor(1.0)).cpu().tolist() == [2, 2]
    assert there.sum().item() == 2
    assert elsewhere.waits == Counter({"_to_copy.default": 1, "_local_scalar_dense.default": 1})


def test_a_search_on_a_gpu_that_is_not_there_is_refused_before_anything_is_made(
    made: MakeSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("search.differentiable.Supernet", None)
    with pytest.raises(NotAvailable, match="finds no GPU to train on"):
        made("c", "cuda")


@pytest.mark.gpu
@pytest.mark.parametrize("recipe", [*LEARNING, {"paths": "two", "checkpointing": True}], ids=words)
def test_a_few_steps_on_a_gpu_come_to_what_they_come_to_on_the_cpu(
    made: MakeSearch, tmp_path: Path, recipe: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not torch.cuda.is_available():
        pytest.skip("torch finds no GPU")
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    for device in ("cpu", "cuda"):
        _, trials = made(device, device, **recipe).search()
        assert len(trials) == RECIPE.candidates
    here, there = (load_checkpoint(tmp_path / device)[0] for device in ("cpu", "cuda"))
    assert set(here) == set(there)
    for name, tensor in here.items():
        torch.testing.assert_close(there[name], tensor, rtol=1e-2, atol=1e-3, msg=f"{name}: {{}}".format)


@pytest.mark.gpu
def test_bf16_runs_on_a_gpu_and_its_checkpoint_is_read_on_the_cpu(made: MakeSearch) -> None:
    if not torch.cuda.is_available():
        pytest.skip("torch finds no GPU")
    found = made("c", "cuda", bf16=True).search()
    assert made("c", "cpu", bf16=True).search() == found, "nothing is left to be done"
