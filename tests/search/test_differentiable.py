"""The differentiable search from end to end on a tiny space: within the limit, repeatable, resumable to the bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from devices import Device, DeviceState, NoAnswer, WrongUse
from latency import DummyProfiler
from lut import Lookup, Table, appending, fill, in_this_process
from search import (
    DifferentiableSearch,
    LabelledImages,
    Objective,
    SearchRecipe,
    Space,
    Trial,
    differentiable,
    open_space,
)
from search.checkpoint import load_checkpoint
from tests.contracts.examples import QUICK

torch = pytest.importorskip("torch", reason="torch is not installed; the search trains with it")

MakeImages = Callable[[int], LabelledImages]
RECIPE = SearchRecipe(warm_up_steps=3, alternating_steps=4, batch_size=2, candidates=4, recalibration_batches=1)


@pytest.fixture(scope="module")
def latency(tiny: Space, tmp_path_factory: pytest.TempPathFactory) -> Objective:
    """Times of a device that cannot run one of the candidates, which would be the cheapest but for that."""
    path = tmp_path_factory.mktemp("tables") / "table.jsonl"
    broken = frozenset({tiny.grid[2][12][0].digest})
    profiler = DummyProfiler(Device("cpu", "test", "x86_64"), DeviceState, broken=broken)
    with appending(path) as writer:
        fill(writer, in_this_process(profiler), tiny.workloads(), QUICK)
    return Objective.latency(tiny, Lookup.read(Table.read(path), tiny.grid, tiny.fixed))


@pytest.fixture
def made(tiny: Space, patches: MakeImages, tmp_path: Path) -> Callable[..., DifferentiableSearch]:
    """Makes a search on MACs of the tiny space, with anything changed."""

    def make(checkpoint: str = "c", **changed: Any) -> DifferentiableSearch:
        objective = changed.pop("objective", Objective.macs(tiny))
        limit = changed.pop("limit", objective.limit("80%"))
        train, validation = changed.pop("train", patches(5)), changed.pop("validation", patches(2))
        recipe = replace(RECIPE, **changed.pop("recipe", {}))
        return DifferentiableSearch(
            objective, limit, train, validation, recipe, checkpoint=tmp_path / checkpoint, **{"seed": 1, **changed}
        )

    return make


MakeSearch = Callable[..., DifferentiableSearch]


def state(path: Path) -> dict[str, list[float]]:
    return {name: tensor.flatten().tolist() for name, tensor in load_checkpoint(path)[0].items()}


def refuse_step(*_: object) -> None:
    raise AssertionError("no step may be made")


@pytest.mark.parametrize("name", ["macs", "latency"])
@pytest.mark.parametrize("share", ["100%", "72%"])
def test_what_is_found_is_within_the_limit(
    made: MakeSearch, tiny: Space, latency: Objective, name: str, share: str
) -> None:
    objective = latency if name == "latency" else Objective.macs(tiny)
    limit = objective.limit(share)
    found, trials = made(objective=objective, limit=limit).search()
    assert found in trials
    assert 1 <= len(trials) <= RECIPE.candidates
    assert all(trial.feasible and trial.cost is not None and trial.cost <= limit for trial in trials)
    assert all(trial.cost == objective.cost_of(trial.picks) for trial in trials)
    assert found.score == max(trial.score for trial in trials if trial.score is not None)
    assert 0 <= found.score <= 1


def test_with_room_for_one_network_it_is_found(made: MakeSearch, latency: Objective) -> None:
    cheapest = latency.cheapest()
    found, trials = made(objective=latency, limit=latency.cost_of(cheapest)).search()
    assert (found.picks, len(trials)) == (cheapest, 1)


def test_a_candidate_that_failed_is_never_computed(made: MakeSearch, latency: Objective) -> None:
    search = made(objective=latency, recipe={"paths": "soft"})
    search._supernet.units[2][12].register_forward_hook(refuse_step)
    _, trials = search.search()
    assert all(trial.picks[2] != 12 for trial in trials)


def test_an_impossible_limit_is_refused_before_a_step_is_made(
    made: MakeSearch, tiny: Space, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(differentiable, "Supernet", refuse_step)
    objective = Objective.macs(tiny)
    with pytest.raises(NoAnswer, match="No network of tiny is within"):
        made(limit=0.99 * objective.cost_of(objective.cheapest()))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("count", [0, 1])
def test_each_half_needs_an_image(made: MakeSearch, patches: MakeImages, count: int) -> None:
    with pytest.raises(WrongUse, match=f"at least 2 training images, one for each half; got {count}"):
        made(train=patches(count))


def test_the_same_seed_finds_the_same_and_another_does_not(made: MakeSearch, tmp_path: Path) -> None:
    first, second, other = (made(name, seed=seed).search() for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert first == second
    assert state(tmp_path / "a") == state(tmp_path / "b")
    assert other[1] != first[1]


def test_the_global_random_state_is_neither_used_nor_changed(made: MakeSearch) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = made("a").search()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert made("b").search() == first


class Stopped(Exception):
    """Stands for a kill."""


def stopping(stage: str, at: int) -> Callable[[str, int, int, str], None]:
    def tell(told: str, done: int, *_: object) -> None:
        if (told, done) == (stage, at):
            raise Stopped

    return tell


@pytest.mark.parametrize("paths", ["straight_through", "soft", "two"])
def test_a_search_that_is_stopped_again_and_again_finds_the_same(
    made: MakeSearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paths: str
) -> None:
    monkeypatch.setattr(differentiable, "CHECKPOINT_EVERY_S", -1.0)
    whole = made("whole", recipe={"paths": paths}).search()
    # In the warm-up, twice; at its end; between the two kinds of steps; at the very end; between candidates.
    for stage, at in (("supernet", n) for n in (1, 3, 4, 6, 7)):
        with pytest.raises(Stopped):
            made(recipe={"paths": paths}).search(stopping(stage, at))
    for at in (0, 1, 3):
        with pytest.raises(Stopped):
            made(recipe={"paths": paths}).search(stopping("candidates", at))
    told: list[tuple[str, int]] = []
    assert made(recipe={"paths": paths}).search(lambda stage, done, *_: told.append((stage, done))) == whole
    assert told == [("candidates", 3), ("candidates", 4)]
    assert state(tmp_path / "c") == state(tmp_path / "whole")
    assert (tmp_path / "c.trials.jsonl").read_bytes() == (tmp_path / "whole.trials.jsonl").read_bytes()


def test_a_search_that_was_stopped_before_its_first_checkpoint_begins_anew(
    made: MakeSearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(differentiable, "CHECKPOINT_EVERY_S", 1e9)
    with pytest.raises(Stopped):
        made().search(stopping("supernet", 5))
    assert not (tmp_path / "c").exists()
    assert made().search() == made("whole").search()


def test_more_candidates_can_be_asked_for_later(made: MakeSearch) -> None:
    few = made().search()[1]
    more = made(recipe={"candidates": 6}).search()[1]
    assert more[:4] == few
    assert len(more) == 6


def test_a_search_that_ran_out_of_memory_goes_on_with_less(made: MakeSearch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(differentiable, "CHECKPOINT_EVERY_S", -1.0)
    with pytest.raises(Stopped):
        made().search(stopping("supernet", 4))
    found, _ = made(recipe={"checkpointing": True}).search()
    assert found == made("whole").search()[0]


@pytest.mark.parametrize("paths", ["straight_through", "soft"])
def test_a_search_that_diverges_says_so_and_keeps_its_last_good_checkpoint(
    made: MakeSearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paths: str
) -> None:
    monkeypatch.setattr(differentiable, "CHECKPOINT_EVERY_S", -1.0)
    with pytest.raises(NoAnswer, match=r"diverged: after 7 steps .*Lower weights_rate"):
        made(recipe={"paths": paths, "weights_rate": 1e30}).search()
    assert (
        not (tmp_path / "c").exists()
        or np.isfinite([value for row in state(tmp_path / "c").values() for value in row]).all()
    )


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"seed": 2}, "seed"),
        ({"share": "81%"}, "limit"),
        ({"train": 6}, "images"),
        ({"validation": 3}, "images"),
        ({"recipe": {"warm_up_steps": 4}}, "warm_up_steps"),
        ({"recipe": {"cost_weight": 1.0}}, "cost_weight"),
        ({"recipe": {"paths": "soft"}}, "soft"),
        ({"recipe": {"paths": "two"}}, "paths"),
        ({"recipe": {"bf16": True}}, "bf16"),
    ],
)
def test_the_checkpoint_of_another_search_is_refused(
    made: MakeSearch, tiny: Space, patches: MakeImages, tmp_path: Path, changed: dict[str, Any], what: str
) -> None:
    made().search()
    before = (tmp_path / "c").read_bytes()
    if "share" in changed:
        changed = {"limit": Objective.macs(tiny).limit(changed["share"])}
    changed = {name: patches(value) if name in {"train", "validation"} else value for name, value in changed.items()}
    with pytest.raises(WrongUse, match=f"belongs to another search: {what} differ"):
        made(**changed).search()
    assert (tmp_path / "c").read_bytes() == before


def test_the_checkpoint_of_a_search_with_other_costs_is_refused(made: MakeSearch, latency: Objective) -> None:
    made(objective=latency, limit=1.0).search()
    measured_again = replace(latency, costs=latency.costs * 1.01)
    with pytest.raises(WrongUse, match="belongs to another search: costs differ"):
        made(objective=measured_again, limit=1.0).search()


def test_scores_without_the_checkpoint_they_come_from_are_refused(made: MakeSearch, tmp_path: Path) -> None:
    made().search()
    (tmp_path / "c").unlink()
    with pytest.raises(WrongUse, match=r"c\.trials\.jsonl holds scores of another search"):
        made().search()
    (tmp_path / "c.trials.jsonl").unlink()
    made().search()


def test_a_damaged_checkpoint_is_refused(made: MakeSearch, tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(b"damaged")
    with pytest.raises(WrongUse, match="is no checkpoint"):
        made().search()


class Numbered(LabelledImages):
    """As many images as classes; every pixel of an image has its number for a class."""

    def __init__(self, count: int) -> None:
        self.name, self.size = "numbered", (32, 64)
        self.classes = tuple(str(index) for index in range(count))
        self.palette = ((0, 0, 0),) * count

    def __len__(self) -> int:
        return len(self.classes)

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return np.full((*self.size, 3), 20 * index, dtype=np.uint8), np.full(self.size, index, dtype=np.uint8)


def test_halves_share_no_image_and_leave_none_out() -> None:
    first, second = (differentiable.Half(Numbered(7), which) for which in (0, 1))
    read = [[int(half.read(index)[1][0, 0]) for index in range(len(half))] for half in (first, second)]
    assert read == [[0, 2, 4, 6], [1, 3, 5]]
    assert first.name == "numbered, every other image"
    assert (first.classes, first.size) == (Numbered(7).classes, (32, 64))


def test_weights_and_policy_learn_from_different_images(
    tiny: Space, made: MakeSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, list[set[int]]] = {"_weights_step": [], "_policy_step": []}
    for name, batches in seen.items():
        step = getattr(DifferentiableSearch, name)

        def spy(
            self: DifferentiableSearch, batch: Any, *rest: int, batches: list[set[int]] = batches, step: Any = step
        ) -> None:
            batches.append(set(batch[1].flatten().tolist()))
            step(self, batch, *rest)

        monkeypatch.setattr(DifferentiableSearch, name, spy)
    space = replace(
        tiny, classes=7, decoder=replace(tiny.decoder, attributes={**tiny.decoder.attributes, "classes": 7})
    )
    made(objective=Objective.macs(space), train=Numbered(7), validation=Numbered(7)).search()
    assert [len(batches) for batches in seen.values()] == [7, 4]
    assert set().union(*seen["_weights_step"]) == {0, 2, 4, 6}
    assert set().union(*seen["_policy_step"]) == {1, 3, 5}


def test_the_warm_up_leaves_the_policy_alone(made: MakeSearch) -> None:
    search = made(recipe={"alternating_steps": 0})
    search.search()
    assert torch.equal(search._policy.logits.detach(), torch.ones(4, 13))


def test_weights_steps_leave_the_policy_alone_and_policy_steps_the_weights(
    made: MakeSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DifferentiableSearch, "_weights_step", lambda *_: None)
    search = made()
    before = [weight.clone() for weight in search._supernet.parameters()]
    search.search()
    assert all(torch.equal(old, new) for old, new in zip(before, search._supernet.parameters(), strict=True))
    assert all(weight.grad is None for weight in search._supernet.parameters())
    assert not torch.equal(search._policy.logits.detach(), torch.ones(4, 13))


@pytest.mark.parametrize("paths", ["straight_through", "soft", "two"])
def test_a_large_weight_of_the_cost_drives_it_under_the_limit(made: MakeSearch, tiny: Space, paths: str) -> None:
    objective = Objective.macs(tiny)
    limit = objective.limit("70%")
    expected = {}
    steps = 50 if paths == "two" else 12  # It moves two logits of 13 in a step.
    for weight in (0.0, 50.0):
        recipe = {
            "cost_weight": weight,
            "policy_rate": 0.4,
            "alternating_steps": steps,
            "paths": paths,
            "batch_size": 1,
        }
        search = made(f"{weight}", limit=limit, recipe=recipe)
        search.search()
        expected[weight] = search._policy.expected_cost().item()
    assert expected[50.0] < 1.02 * limit < expected[0.0]


def test_a_cost_under_the_limit_weighs_nothing(made: MakeSearch, tiny: Space, tmp_path: Path) -> None:
    # Equal logits expect the mean of each unit, and a few steps do not make that a fifth more.
    limit = 1.2 * (tiny.fixed_macs + tiny.macs.mean(axis=1).sum())
    for weight in (0.0, 50.0):
        made(f"{weight}", limit=limit, recipe={"cost_weight": weight}).search()
    assert state(tmp_path / "0.0") == state(tmp_path / "50.0")


def test_every_draw_has_random_numbers_of_its_own(made: MakeSearch, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []
    for seed in range(3):
        search = made(f"{seed}", seed=seed)
        seeds += [search._generator(stream, step).initial_seed() for stream in (0, 1) for step in range(50)]
    assert len(set(seeds)) == 300
    drawn: list[Any] = []
    draw = differentiable.Policy.draw

    def spy(self: Any, temperature: float, generator: Any, **options: Any) -> Any:
        drawn.append(draw(self, temperature, generator, **options))
        return drawn[-1]

    monkeypatch.setattr(differentiable.Policy, "draw", spy)
    made(recipe={"policy_rate": 0.0}).search()
    assert len({tuple(mixture.argmax(-1).flatten().tolist()) for mixture in drawn}) == len(drawn) == 8


def test_networks_are_scored_with_statistics_of_their_own(made: MakeSearch) -> None:
    search = made()
    found, _ = search.search()
    evaluator = search.trained()
    for norm in search._supernet.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.running_mean.fill_(9.0)
    assert evaluator.score(found.picks) == found.score


def test_the_temperature_falls_exponentially_from_the_first_to_the_last(
    made: MakeSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []
    draw = differentiable.Policy.draw

    def spy(self: differentiable.Policy, temperature: float, *rest: Any, **options: Any) -> Any:
        seen.append(temperature)
        return draw(self, temperature, *rest, **options)

    monkeypatch.setattr(differentiable.Policy, "draw", spy)
    made(recipe={"first_temperature": 8.0, "last_temperature": 1.0}).search()
    # Weights and policy draw at the same temperature, one after the other.
    assert seen == pytest.approx([8, 8, 4, 4, 2, 2, 1, 1])


def test_soft_draws_one_mixture_for_each_image_and_hard_one_for_all_unless_told(
    made: MakeSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = (("soft", "auto"), ("straight_through", "auto"), ("two", "image"), ("soft", "batch"))
    shapes = {kind: set[tuple[int, ...]]() for kind in kinds}
    forward = differentiable.Supernet.forward
    for (paths, draws), found in shapes.items():

        def spy(self: Any, pictures: Any, mixture: Any, *more: Any, found: set[tuple[int, ...]] = found) -> Any:
            found.add(tuple(mixture.shape))
            return forward(self, pictures, mixture, *more)

        monkeypatch.setattr(differentiable.Supernet, "forward", spy)
        made(f"{paths}_{draws}", recipe={"paths": paths, "draws": draws}).search()
    per_image, together = {(4, 13), (2, 4, 13)}, {(4, 13), (1, 4, 13)}
    assert list(shapes.values()) == [per_image, together, per_image, together]


def test_progress_is_told_in_stages(made: MakeSearch) -> None:
    told: list[tuple[str, int, int, str]] = []
    found, trials = made().search(lambda *words: told.append(words))
    supernet = [words for words in told if words[0] == "supernet"]
    assert [words[1:3] for words in supernet] == [(done, 7) for done in range(1, 8)]
    assert "expected 0." in supernet[0][3]
    assert "M MACs, limit 0." in supernet[0][3]
    candidates = [words for words in told if words[0] == "candidates"]
    assert [words[1:3] for words in candidates] == [(done, 4) for done in range(5)]
    assert candidates[0][3] == ""
    assert candidates[-1][3].startswith(f"best mIoU {found.score:.3f} at 0.")
    assert candidates[-1][3].endswith("M MACs, 100 % within the limit")
    assert isinstance(trials[0], Trial)


@pytest.mark.parametrize("name", ["latency", "macs"])
def test_cells_are_searched_on_whole_pictures_and_the_limit_holds(
    name: str, objects: MakeImages, tmp_path: Path
) -> None:
    space = open_space("nasbench201", (8, 8), 10)
    objective = Objective.macs(space)
    if name == "latency":
        profiler = DummyProfiler(Device("cpu", "test", "x86_64"), DeviceState)
        with appending(tmp_path / "table") as writer:
            fill(writer, in_this_process(profiler), space.workloads(), QUICK)
        objective = Objective.latency(space, Lookup.read(Table.read(tmp_path / "table"), space.grid, space.fixed))
    limit = objective.limit("70%")

    def made(name: str) -> DifferentiableSearch:
        recipe = replace(RECIPE, warm_up_steps=1, alternating_steps=2, candidates=3)
        return DifferentiableSearch(objective, limit, objects(5), objects(3), recipe, 1, tmp_path / name)

    told: list[str] = []
    search = made("c")
    found, trials = search.search(lambda *words: told.append(words[3]))
    assert found.feasible
    assert len(trials) == 3
    assert all(trial.cost is not None and trial.cost <= limit for trial in trials)
    assert all(objective.cost_of(trial.picks) == pytest.approx(trial.cost) for trial in trials)
    assert told[-1].startswith("best accuracy ")
    assert not torch.equal(search._policy.logits.detach(), torch.ones(6, 5))
    assert made("c").search() == (found, trials)


def test_halves_of_whole_pictures_are_of_whole_pictures(objects: MakeImages) -> None:
    assert [differentiable.Half(images, 0).has_one_class_each for images in (objects(2), Numbered(2))] == [True, False]


def test_a_space_that_classifies_is_not_searched_on_pixels(patches: MakeImages, tmp_path: Path) -> None:
    objective = Objective.macs(open_space("nasbench201", (8, 8), 3))
    with pytest.raises(WrongUse, match="nasbench201 classifies whole images, and patches has a class for every pixel"):
        DifferentiableSearch(objective, 1e9, patches(4), patches(2), RECIPE, 1, tmp_path / "c")


@pytest.mark.parametrize("name", ["fbnet", "proxylessnas"])
def test_chains_that_classify_are_searched(name: str, objects: MakeImages, tmp_path: Path) -> None:
    objective = Objective.macs(open_space(name, (32, 32), 10))
    recipe = replace(RECIPE, warm_up_steps=0, alternating_steps=1, candidates=1)
    images = objects(4, (32, 32))
    limit = objective.limit("50%")
    search = DifferentiableSearch(objective, limit, images, images, recipe, 1, tmp_path / "c")
    found, _ = search.search()
    assert found.cost is not None
    assert objective.cost_of(found.picks) == pytest.approx(found.cost)
    assert found.cost <= limit


def test_an_identity_has_no_setting_that_says_what_the_default_does(made: MakeSearch) -> None:
    identities = {paths: made(recipe={"paths": paths})._identity() for paths in ("straight_through", "soft", "two")}
    new = {"paths", "draws", "checkpointing", "channels_last", "bf16", "candidates", "least_cost"}
    assert {paths: new & set(identity) for paths, identity in identities.items()} == {
        "straight_through": set(),
        "soft": set(),
        "two": {"paths"},
    }
    assert [identity["soft"] for identity in identities.values()] == [False, True, False]


@pytest.mark.parametrize(("setting", "known"), [("paths", "straight_through"), ("draws", "image")])
def test_unknown_ways_to_draw_are_refused(made: MakeSearch, setting: str, known: str) -> None:
    with pytest.raises(WrongUse, match=known):
        made(recipe={setting: "nonsense"})


def test_a_thrifty_search_runs_to_its_end(made: MakeSearch) -> None:
    found, trials = made(recipe={"checkpointing": True, "channels_last": True, "bf16": True}).search()
    assert found in trials
