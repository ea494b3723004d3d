"""Training: it learns, it ignores what does not count, it goes on to the bit; scoring and new statistics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from devices import NoAnswer, WrongUse
from latency import build_module
from search import (
    Architecture,
    Batches,
    LabelledImages,
    Space,
    TrainRecipe,
    open_space,
    recalibrate,
    score_network,
    scoring_batches,
    train_network,
    training,
)
from search.checkpoint import load_checkpoint, save_checkpoint
from search.class_weights import class_shares, enet_weights
from search.data import ClassifiedImages
from search.data.labelled import class_label

torch = pytest.importorskip("torch", reason="torch is not installed; networks are trained with it")
from torch import Tensor, nn  # noqa: E402 - only once torch is known to be there

from search.distillation import divergence  # noqa: E402 - it imports torch
from search.mixed_precision import MixedPrecision  # noqa: E402

MakeImages = Callable[[int], LabelledImages]
RECIPE = TrainRecipe(steps=6, batch_size=2)


def scored(network: nn.Module, images: LabelledImages) -> tuple[float, dict[str, float]]:
    return score_network(network, scoring_batches(images))


@pytest.fixture
def network(tiny: Space) -> nn.Module:
    return build_module(tiny.network(Architecture("tiny", (0, 2, 11, 12))))


def weights(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(value, second[name]) for name, value in first.items())


def loss(network: nn.Module, images: LabelledImages) -> float:
    pictures, labels = next(Batches(images, len(images), seed=0, augment=False).all_batches())
    with torch.inference_mode():
        return float(training.cross_entropy(network.eval()(pictures), labels))


def test_the_loss_falls_and_the_score_rises(network: nn.Module, patches: MakeImages, tmp_path: Path) -> None:
    before = loss(network, patches(8)), scored(network, patches(8))[0]
    train_network(network, patches(8), TrainRecipe(steps=60, batch_size=4, rate=0.05), 0, tmp_path / "c")
    assert loss(network, patches(8)) < 0.5 * before[0]
    assert scored(network, patches(8))[0] > 0.7 > before[1]


def test_pixels_that_do_not_count_have_no_influence() -> None:
    scores = torch.randn(2, 3, 4, 5, requires_grad=True)
    labels = torch.randint(0, 3, (2, 4, 5))
    labels[:, 1:3] = 255
    value = training.cross_entropy(scores, labels)
    value.backward()
    kept = [0, 3]
    torch.testing.assert_close(value, nn.functional.cross_entropy(scores[:, :, kept], labels[:, kept]))
    assert scores.grad is not None
    assert (scores.grad[:, :, 1:3] == 0).all()
    assert (scores.grad[:, :, kept] != 0).all()


def test_progress_is_told_after_every_step(network: nn.Module, patches: MakeImages, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    train_network(network, patches(2), RECIPE, 0, tmp_path / "c", lambda done, steps: told.append((done, steps)))
    assert told == [(done, 6) for done in range(1, 7)]


def test_the_seed_decides(tiny: Space, patches: MakeImages, tmp_path: Path) -> None:
    trained = []
    for index, seed in enumerate((0, 0, 1)):
        network = build_module(tiny.network(Architecture("tiny", (0, 0, 0, 12))))
        train_network(network, patches(4), RECIPE, seed, tmp_path / str(index))
        trained.append(weights(network))
    assert equal(trained[0], trained[1])
    assert not equal(trained[0], trained[2])


def test_the_rate_falls_with_the_steps_left_and_the_last_step_still_has_some(
    network: nn.Module, patches: MakeImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates, step = list[float](), MixedPrecision.step

    def noting(own: MixedPrecision, loss: Tensor, optimizer: torch.optim.Optimizer, clip: float = 0.0) -> None:
        rates.append(optimizer.param_groups[0]["lr"])
        step(own, loss, optimizer, clip)

    monkeypatch.setattr(MixedPrecision, "step", noting)
    train_network(network, patches(2), TrainRecipe(steps=4, batch_size=2, rate=0.2), 0, tmp_path / "c")
    assert rates == pytest.approx([0.2 * left**0.9 for left in (1.0, 0.75, 0.5, 0.25)])


class Stopped(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize("every_s", [-1.0, 1e9], ids=["checkpoint after each step", "no checkpoint yet"])
@pytest.mark.parametrize("stop", [1, 4, 6])
def test_a_training_that_was_stopped_ends_with_the_same_weights(
    tiny: Space, patches: MakeImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int, every_s: float
) -> None:
    monkeypatch.setattr(training, "CHECKPOINT_EVERY_S", every_s)
    workload = tiny.network(Architecture("tiny", (3, 5, 11, 12)))
    whole, begun, resumed = (build_module(workload) for _ in range(3))
    train_network(whole, patches(5), RECIPE, 1, tmp_path / "whole")

    def die(done: int, _: int) -> None:
        if done == stop:
            raise Stopped

    with pytest.raises(Stopped):
        train_network(begun, patches(5), RECIPE, 1, tmp_path / "c", die)
    steps: list[int] = []
    train_network(resumed, patches(5), RECIPE, 1, tmp_path / "c", lambda done, all_: steps.append(done))
    assert steps[0] == (stop if every_s < 0 else 1)
    assert equal(weights(resumed), weights(whole))
    assert equal(load_checkpoint(tmp_path / "c")[0], load_checkpoint(tmp_path / "whole")[0])


FULL = {"ema": 0.9, "precision": "fp16", "clip": 1.0, "augmentation": "full", "workers": 2}


WEIGHTED = {"optimizer": "adamw", "class_weights": "enet", "rate": 0.01}


@pytest.mark.parametrize("settings", [{"ema": 0.9}, FULL, WEIGHTED], ids=["average", "all at once", "weighted, AdamW"])
def test_a_full_training_that_was_stopped_ends_with_the_same_weights(
    tiny: Space, patches: MakeImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, object]
) -> None:
    monkeypatch.setattr(training, "CHECKPOINT_EVERY_S", -1.0)
    workload, recipe = tiny.network(Architecture("tiny", (3, 5, 11, 12))), replace(RECIPE, **settings)
    whole, begun, resumed, teacher = (build_module(workload, seed=seed) for seed in (0, 0, 0, 7))
    train_network(whole, patches(5), recipe, 1, tmp_path / "whole", teacher=teacher)

    def die(done: int, _: int) -> None:
        if done == 4:
            raise Stopped

    with pytest.raises(Stopped):
        train_network(begun, patches(5), recipe, 1, tmp_path / "c", die, teacher=teacher)
    pace = train_network(resumed, patches(5), recipe, 1, tmp_path / "c", teacher=teacher)
    assert pace.steps == 3, "the checkpoint is written after it was told"
    assert equal(weights(resumed), weights(whole))
    assert equal(load_checkpoint(tmp_path / "c")[0], load_checkpoint(tmp_path / "whole")[0])


def first_step(
    network: nn.Module, images: LabelledImages, recipe: TrainRecipe, path: Path, teacher: nn.Module | None = None
) -> dict[str, Tensor]:
    """What one step changes of each weight."""
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    recipe = replace(recipe, steps=1, weight_decay=0.0, augmentation="none")
    train_network(network, images, recipe, 0, path, teacher=teacher)
    return {name: weight.detach() - before[name] for name, weight in network.named_parameters()}


def test_adamw_steps_are_as_long_as_the_rate_whatever_the_gradient(
    tiny: Space, patches: MakeImages, tmp_path: Path
) -> None:
    network = build_module(tiny.network(Architecture("tiny", (0, 2, 11, 12))))
    recipe = TrainRecipe(batch_size=2, rate=0.03, optimizer="adamw")
    moved = torch.cat([each.flatten() for each in first_step(network, patches(2), recipe, tmp_path / "c").values()])
    assert moved.abs().max() == pytest.approx(0.03, rel=1e-3)
    assert (moved.abs() > 0.029).float().mean() > 0.5


@pytest.mark.parametrize("taught", [False, True])
def test_pixels_of_rare_classes_count_more(tiny: Space, patches: MakeImages, tmp_path: Path, taught: bool) -> None:
    """The first step of SGD follows the gradient: here of the weighted loss, over the pixels that count."""
    workload = tiny.network(Architecture("tiny", (0, 2, 11, 12)))
    network, same, teacher = (build_module(workload, seed=seed) for seed in (0, 0, 7))
    images, share = patches(2), 0.25 if taught else 0.0
    recipe = TrainRecipe(batch_size=2, rate=0.5, class_weights="enet", teacher_share=0.25)
    moved = first_step(network, images, recipe, tmp_path / "c", teacher if taught else None)
    pictures, labels = next(Batches(images, 2, seed=0, augment=True, augmentation="none").take(1))
    scores, counts = same.train()(pictures), labels != 255
    weights = torch.tensor(enet_weights(class_shares(images)), dtype=torch.float32)
    every = nn.functional.cross_entropy(scores, labels, weights, ignore_index=255, reduction="none")
    wanted = (1 - share) * every[counts].mean()
    if taught:
        wanted = wanted + share * divergence(scores, teacher.eval()(pictures).detach(), labels, 2.0) / counts.sum()
    wanted.backward()
    for name, weight in same.named_parameters():
        assert weight.grad is not None
        torch.testing.assert_close(moved[name], -0.5 * weight.grad, rtol=1e-3, atol=1e-6)


def test_the_average_is_what_is_used_and_kept(tiny: Space, patches: MakeImages, tmp_path: Path) -> None:
    workload = tiny.network(Architecture("tiny", (0, 2, 11, 12)))
    plain, averaged, again = (build_module(workload) for _ in range(3))
    train_network(plain, patches(4), RECIPE, 0, tmp_path / "plain")
    train_network(averaged, patches(4), replace(RECIPE, ema=0.9), 0, tmp_path / "average")
    tensors, _ = load_checkpoint(tmp_path / "average")

    def named(prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): each for name, each in tensors.items() if name.startswith(prefix)}

    assert equal(named("training."), weights(plain)), "averaging does not touch what is trained"
    assert equal(named("network."), weights(averaged))
    assert not equal(weights(averaged), weights(plain))
    train_network(again, patches(4), replace(RECIPE, ema=0.9), 0, tmp_path / "average")
    assert equal(weights(again), weights(averaged)), "a finished training gives the average back"


def without_labels(images: LabelledImages) -> LabelledImages:
    """The same pictures, in which nothing counts."""
    read = images.read
    images.read = lambda index: (read(index)[0], np.full(images.size, 255, dtype=np.uint8))  # type: ignore[method-assign]
    return images


@pytest.mark.parametrize("taught", [False, True])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_from_a_batch_in_which_nothing_counts_nothing_is_learnt(
    tiny: Space, patches: MakeImages, tmp_path: Path, precision: str, taught: bool
) -> None:
    """The mean over no pixels is no number; weights must not become that."""
    network, teacher = (build_module(tiny.network(Architecture("tiny", (0, 2, 11, 12))), seed=s) for s in (0, 1))
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    recipe = replace(RECIPE, weight_decay=0.0, precision=precision, clip=1.0)
    images = without_labels(patches(4))
    train_network(network, images, recipe, 0, tmp_path / "c", teacher=teacher if taught else None)
    assert equal(before, dict(network.named_parameters()))


@pytest.mark.parametrize("every_s", [-1.0, 1e9], ids=["saved after each step", "saved at the end"])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_training_that_diverges_stops_and_keeps_the_last_weights_that_were_numbers(
    tiny: Space, patches: MakeImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str, every_s: float
) -> None:
    monkeypatch.setattr(training, "CHECKPOINT_EVERY_S", every_s)
    monkeypatch.setattr(training, "LOOK_EVERY", 3)
    network = build_module(tiny.network(Architecture("tiny", (0, 2, 11, 12))))
    recipe, told = TrainRecipe(steps=30, batch_size=2, rate=0.05, precision=precision), list[int]()

    def spoil(done: int, _: int) -> None:
        """As a step that was too long would."""
        told.append(done)
        if done == 4:
            next(network.parameters()).data.view(-1)[0] = float("nan")

    with pytest.raises(NoAnswer, match=r"training of c diverged: after 6 of 30 steps .* Lower rate, or set clip = 1"):
        train_network(network, patches(4), recipe, 0, tmp_path / "c", spoil)
    assert told[-1] == 6
    assert (tmp_path / "c").exists() == (every_s < 0)
    if every_s < 0:
        tensors, values = load_checkpoint(tmp_path / "c")
        assert values["step"] == 3
        assert all(tensor.isfinite().all() for tensor in tensors.values())


def test_statistics_that_are_no_numbers_are_a_divergence_though_weights_are(
    network: nn.Module, patches: MakeImages, tmp_path: Path
) -> None:
    """fp16 leaves out the steps that overflow, and so keeps weights; what batches have overflowed with stays behind."""
    norm = next(module for module in network.modules() if isinstance(module, nn.BatchNorm2d))

    def spoil(*_: int) -> None:
        norm.running_var.fill_(float("inf"))

    with pytest.raises(NoAnswer, match="diverged: after 6 of 6 steps"):
        train_network(network, patches(4), RECIPE, 0, tmp_path / "c", spoil)


def test_a_checkpoint_with_weights_that_are_no_numbers_is_not_gone_on_with(
    network: nn.Module, patches: MakeImages, tmp_path: Path
) -> None:
    train_network(network, patches(2), RECIPE, 0, tmp_path / "c")
    tensors, values = load_checkpoint(tmp_path / "c")
    next(iter(tensors.values())).fill_(float("nan"))
    save_checkpoint(tmp_path / "c", tensors, values)
    with pytest.raises(NoAnswer, match=r"diverged.* move .*c away"):
        train_network(network, patches(2), RECIPE, 0, tmp_path / "c")


def test_reading_ahead_changes_no_weight(tiny: Space, patches: MakeImages, tmp_path: Path) -> None:
    first, second = (build_module(tiny.network(Architecture("tiny", (0, 2, 11, 12)))) for _ in range(2))
    train_network(first, patches(4), RECIPE, 0, tmp_path / "c")
    pace = train_network(second, patches(4), replace(RECIPE, workers=2), 0, tmp_path / "d")
    assert equal(weights(first), weights(second))
    assert 0 <= pace.waiting_s <= pace.whole_s
    train_network(second, patches(4), replace(RECIPE, workers=1), 0, tmp_path / "c")  # And so does the checkpoint.


def test_a_clipped_step_is_no_longer_than_it_may_be(tiny: Space, patches: MakeImages, tmp_path: Path) -> None:
    network = build_module(tiny.network(Architecture("tiny", (0, 2, 11, 12))))
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    recipe = TrainRecipe(steps=1, batch_size=2, rate=0.5, weight_decay=0.0, clip=0.01)
    train_network(network, patches(2), recipe, 0, tmp_path / "c")
    moved = [float((weight.detach() - before[name]).norm()) for name, weight in network.named_parameters()]
    assert np.linalg.norm(moved) == pytest.approx(0.5 * 0.01, rel=0.01)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_networks_learn_in_half_the_bits(
    network: nn.Module, patches: MakeImages, tmp_path: Path, precision: str
) -> None:
    before = loss(network, patches(8))
    recipe = TrainRecipe(steps=30, batch_size=4, rate=0.05, precision=precision)
    train_network(network, patches(8), recipe, 0, tmp_path / "c")
    assert loss(network, patches(8)) < 0.7 * before
    assert all(weight.dtype is torch.float32 for weight in network.parameters())


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_networks_learn_on_a_gpu_and_say_the_same_on_the_cpu(
    tiny: Space, patches: MakeImages, tmp_path: Path, precision: str
) -> None:
    if not torch.cuda.is_available():
        pytest.skip("torch finds no GPU")
    network, on_cpu = (build_module(tiny.network(Architecture("tiny", (0, 2, 11, 12)))) for _ in range(2))
    network.cuda()
    teacher = build_module(tiny.network(Architecture("tiny", (3, 5, 11, 12)))).cuda()
    recipe = TrainRecipe(steps=60, batch_size=4, rate=0.05, precision=precision, ema=0.9, teacher_share=0.1)
    train_network(network, patches(8), recipe, 0, tmp_path / "c", teacher=teacher)
    score = scored(network, patches(8))[0]
    assert score > 0.6
    train_network(on_cpu, patches(8), recipe, 0, tmp_path / "c", teacher=teacher.cpu())
    assert scored(on_cpu, patches(8))[0] == pytest.approx(score, abs=0.02), "the checkpoint is read anywhere"


def test_a_network_comes_to_say_what_its_teacher_says(tiny: Space, patches: MakeImages, tmp_path: Path) -> None:
    """Where the teacher has all of the loss, the student learns its answers and not the labels."""

    class LeftIsRight(nn.Module):
        """Sure of the wrong class, wherever it looks."""

        def forward(self, pictures: Tensor) -> Tensor:
            red_is_high = (pictures[:, 0] > pictures[:, 2]).float()
            return 4.0 * torch.stack([1 - red_is_high, red_is_high, torch.zeros_like(red_is_high)], dim=1)

    network = build_module(tiny.network(Architecture("tiny", (0, 2, 11, 12))))
    recipe = TrainRecipe(steps=60, batch_size=4, rate=0.05, teacher_share=1.0)
    train_network(network, patches(8), recipe, 0, tmp_path / "c", teacher=LeftIsRight())
    assert scored(network, patches(8))[0] < 0.15
    pictures, labels = next(Batches(patches(8), 8, seed=0, augment=False).all_batches())
    agrees = network.eval()(pictures).argmax(1) == LeftIsRight()(pictures).argmax(1)
    assert agrees[labels != 255].float().mean() > 0.85


def test_a_finished_training_only_gives_its_weights_back(tiny: Space, patches: MakeImages, tmp_path: Path) -> None:
    first, second = (build_module(tiny.network(Architecture("tiny", (0,) * 4)), seed=seed) for seed in (0, 1))
    train_network(first, patches(2), RECIPE, 0, tmp_path / "c")
    told: list[int] = []
    train_network(second, patches(2), RECIPE, 0, tmp_path / "c", lambda done, steps: told.append(done))
    assert told == []
    assert equal(weights(first), weights(second))


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"seed": 1}, "seed"),
        ({"images": 3}, "images"),
        ({"size": (40, 72)}, "input_size"),
        ({"steps": 7}, "steps"),
        ({"batch_size": 1}, "batch_size"),
        ({"rate": 0.2}, "rate"),
        ({"weight_decay": 0.0}, "weight_decay"),
        ({"ema": 0.9}, "ema"),
        ({"precision": "bf16"}, "precision"),
        ({"augmentation": "full"}, "augmentation"),
        ({"clip": 1.0}, "clip"),
        ({"teacher": 1}, "teacher"),
        # Its weights have the same shapes; only the dilation of one unit is another.
        ({"picks": (0, 2, 3, 12)}, "network"),
        ({"picks": (0, 2, 12, 12)}, "network"),
    ],
)
def test_the_checkpoint_of_another_training_is_refused(
    tiny: Space,
    patches: Callable[..., LabelledImages],
    tmp_path: Path,
    changed: dict[str, object],
    what: str,
) -> None:
    def train(
        seed: int = 0,
        images: int = 2,
        size: tuple[int, int] = (32, 64),
        picks: tuple[int, ...] = (0, 2, 11, 12),
        teacher: int | None = None,
        **recipe: float,
    ) -> None:
        workload = tiny.network(Architecture("tiny", picks))
        other = None if teacher is None else build_module(workload, seed=teacher)
        chosen = replace(RECIPE, **recipe)
        train_network(build_module(workload), patches(images, size), chosen, seed, tmp_path / "c", teacher=other)

    train()
    before = (tmp_path / "c").read_bytes()
    with pytest.raises(WrongUse, match=f"belongs to another training: {what} differ"):
        train(**changed)
    assert (tmp_path / "c").read_bytes() == before


def test_a_checkpoint_from_before_there_were_further_settings_is_gone_on_with(
    network: nn.Module, patches: MakeImages, tmp_path: Path
) -> None:
    train_network(network, patches(2), RECIPE, 3, tmp_path / "c")
    tensors, values = load_checkpoint(tmp_path / "c")
    before = {"seed", "steps", "batch_size", "rate", "weight_decay", "images", "network", "step"}
    assert values.keys() == before | {"input_size"}
    assert {name.partition(".")[0] for name in tensors} == {"network", "optimizer"}
    save_checkpoint(tmp_path / "c", tensors, {name: values[name] for name in before})
    assert train_network(network, patches(2), RECIPE, 3, tmp_path / "c").steps == 0


def test_another_teacher_is_another_training(tiny: Space, patches: MakeImages, tmp_path: Path) -> None:
    workload = tiny.network(Architecture("tiny", (0, 2, 11, 12)))
    first, second = (build_module(workload, seed=seed) for seed in (1, 2))
    train_network(build_module(workload), patches(2), RECIPE, 0, tmp_path / "c", teacher=first)
    with pytest.raises(WrongUse, match="belongs to another training: teacher differ"):
        train_network(build_module(workload), patches(2), RECIPE, 0, tmp_path / "c", teacher=second)


class Fixed(nn.Module):
    """Always says the same classes, whatever it sees."""

    def __init__(self, classes: np.ndarray) -> None:
        super().__init__()
        self.scores = nn.functional.one_hot(torch.from_numpy(classes).long(), 3).permute(2, 0, 1).float()

    def forward(self, pictures: Tensor) -> Tensor:
        return self.scores.expand(len(pictures), -1, -1, -1)


class Halves(LabelledImages):
    """Left half 0, right half 1, the top row not counted; all images alike."""

    name, classes, palette, size = "halves", ("left", "right", "never"), ((0, 0, 0),) * 3, (4, 8)

    def __len__(self) -> int:
        return 20

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.repeat(np.array([[0, 1]], dtype=np.uint8), 4, axis=1).repeat(4, axis=0)
        labels[0] = 255
        return np.zeros((4, 8, 3), dtype=np.uint8), labels


def test_a_perfect_network_scores_1() -> None:
    truth = Halves().read(0)[1]
    truth[0] = 2  # Where nothing counts, anything may be said.
    assert scored(Fixed(truth), Halves()) == (1.0, {"left": 1.0, "right": 1.0})


def test_a_constant_network_scores_what_can_be_worked_out() -> None:
    # Everything is "left": half of it is right, and "right" is never found.
    assert scored(Fixed(np.zeros((4, 8))), Halves()) == (0.25, {"left": 0.5, "right": 0.0})
    # A class that does not occur counts with 0 once it is predicted.
    assert scored(Fixed(np.full((4, 8), 2)), Halves()) == (
        0.0,
        {"left": 0.0, "right": 0.0, "never": 0.0},
    )


class Numbered(ClassifiedImages):
    """Black pictures, of one class each: 0, 1, 2, 0, 1, ..."""

    name, classes, size = "numbered", ("zero", "one", "two", "three"), (4, 8)

    def __len__(self) -> int:
        return 20

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros((4, 8, 3), dtype=np.uint8), class_label(index % 3)


def test_of_whole_pictures_the_share_that_is_right_is_the_score() -> None:
    class Always(nn.Module):
        def forward(self, pictures: Tensor) -> Tensor:
            return torch.tensor([0.0, 1.0, 0.0, 0.0]).expand(len(pictures), -1)

    assert scored(Always(), Numbered()) == (7 / 20, {"zero": 0.0, "one": 1.0, "two": 0.0})


def test_the_256th_class_of_whole_pictures_counts() -> None:
    scores, labels = torch.randn(2, 300), torch.tensor([255, 3])
    assert training.cross_entropy(scores, labels) == nn.functional.cross_entropy(scores, labels)


def test_networks_learn_classes_of_whole_pictures(objects: MakeImages, tmp_path: Path) -> None:
    space = open_space("nasbench201", (8, 8), 10)
    network = build_module(space.network(Architecture(space.name, (1, 0, 0, 2, 1, 0))))
    before = scored(network, objects(12))[0]
    train_network(network, objects(12), TrainRecipe(steps=25, batch_size=12, rate=0.05), 0, tmp_path / "c")
    # With the statistics of the images that it has learnt, zoomed and mirrored.
    assert scored(network, objects(12))[0] > max(0.5, before)


@pytest.mark.parametrize("mode", [True, False])
def test_scoring_changes_nothing(network: nn.Module, patches: MakeImages, mode: bool) -> None:
    network.train(mode)
    before = weights(network)
    first, second = (
        scored(network, patches(3)),
        scored(network, patches(3)),
    )
    assert first == second
    assert network.training is mode
    assert equal(before, weights(network))


def test_the_batches_of_scoring_make_no_difference(
    network: nn.Module, patches: MakeImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, whole_by_class = scored(network, patches(5))
    monkeypatch.setattr(training, "_SCORE_BATCH", 2)
    score, by_class = scored(network, patches(5))
    # Other batches may be summed in another order: a pixel between two classes may go to the other one.
    assert score == pytest.approx(whole, abs=2e-3)
    assert by_class == pytest.approx(whole_by_class, abs=2e-3)


@pytest.mark.parametrize(("size", "count"), [((180, 240), 16), ((512, 1024), 4), ((1024, 2048), 1), ((4096, 4096), 1)])
def test_large_images_are_scored_in_small_batches(
    patches: Callable[..., LabelledImages], size: tuple[int, int], count: int
) -> None:
    """Sixteen of Cityscapes' size would have 2.5 GB of scores alone."""
    assert scoring_batches(patches(1, size)).batch_size == count


def test_without_images_there_is_no_score(network: nn.Module, patches: MakeImages) -> None:
    with pytest.raises(WrongUse, match="patches holds no image to score on"):
        scored(network, patches(0))


def test_new_statistics_are_the_plain_mean_over_the_batches(network: nn.Module, patches: MakeImages) -> None:
    batches = Batches(patches(6), 2, seed=0, augment=False)
    train_batches = list(batches.take(3))
    first = network.encoder[0]
    with torch.no_grad():
        outputs = [first[0](pictures) for pictures, _ in train_batches]
    network.eval()
    recalibrate(network, batches, 3)
    norm = first[1]
    torch.testing.assert_close(norm.running_mean, torch.stack([out.mean((0, 2, 3)) for out in outputs]).mean(0))
    torch.testing.assert_close(norm.running_var, torch.stack([out.var((0, 2, 3)) for out in outputs]).mean(0))


def test_new_statistics_do_not_depend_on_the_old_ones(network: nn.Module, patches: MakeImages) -> None:
    batches = Batches(patches(6), 2, seed=0, augment=True)
    recalibrate(network, batches, 2)
    before = weights(network)
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.fill_(9.0)
            norm.running_var.fill_(9.0)
    recalibrate(network, batches, 2)
    assert equal(before, weights(network))


def test_new_statistics_leave_weights_and_momentum_alone(network: nn.Module, patches: MakeImages) -> None:
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    norms[0].momentum = 0.25
    before = {name: weight.clone() for name, weight in network.named_parameters()}
    statistics = norms[0].running_var.clone()
    recalibrate(network, Batches(patches(4), 2, seed=0, augment=True), 2)
    assert equal(before, dict(network.named_parameters()))
    assert all(weight.grad is None for weight in network.parameters())
    assert [norm.momentum for norm in norms] == [0.25] + [0.1] * (len(norms) - 1)
    assert not torch.equal(norms[0].running_var, statistics)
