"""Training a network on labelled images, scoring it, and renewing its batch-norm statistics."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, final

import numpy as np
import torch
from torch import Tensor, nn

from devices import NoAnswer, WrongUse
from search.averaging import WeightAverage
from search.checkpoint import (
    layers_digest,
    load_own_checkpoint,
    module_tensors,
    optimizer_tensors,
    restore_module,
    restore_optimizer,
    save_checkpoint,
)
from search.class_weights import class_shares, enet_weights
from search.data import IGNORE, Batches, LabelledImages, confusion_matrix, score_of
from search.distillation import Teacher, counted, cross_entropy
from search.distributed import ALONE, Ranks, together
from search.mixed_precision import MixedPrecision
from search.recipe import TrainRecipe

__all__ = [
    "CHECKPOINT_EVERY_S",
    "LOOK_EVERY",
    "Pace",
    "Tell",
    "is_finite",
    "recalibrate",
    "score_network",
    "scoring_batches",
    "train_network",
]

Tell: TypeAlias = Callable[[int, int], None]
"""Told after each step: steps done and steps in all."""

CHECKPOINT_EVERY_S = 10.0
"""Work that a kill may cost. A checkpoint of the demo takes some milliseconds."""

LOOK_EVERY = 20
"""Steps between looks at whether weights are still numbers: often enough to waste little, seldom enough to cost little.
Steps and not seconds: processes have the same weights, and must stop at the same step."""

_SCORE_BATCH = 16
"""Images in a batch when scoring, at most; it changes speed only."""

_SCORE_PIXELS = 2**21
"""Pixels in a batch when scoring, at most: those of one image of Cityscapes, whose scores alone take 160 MB."""

_LATER = ("input_size",)
"""Conditions that the checkpoints of before do not say."""

_SCORED, _RAW = "network", "training"
"""Names in a checkpoint: of the weights that are used, and of those that are trained where an average is used."""


@final
@dataclass(frozen=True)
class Pace:
    """Where the time of a training went, since it was begun or gone on with.

    Attributes:
        steps: that were taken.
        whole_s: time for them.
        waiting_s: the part of it in which the next images were not ready.
    """

    steps: int
    whole_s: float
    waiting_s: float


def train_network(
    network: nn.Module,
    images: LabelledImages,
    recipe: TrainRecipe,
    seed: int,
    checkpoint: Path,
    tell: Tell = lambda done, steps: None,
    *,
    teacher: nn.Module | None = None,
    ranks: Ranks = ALONE,
) -> Pace:
    """Train ``network`` in place; go on from ``checkpoint`` where there is one, and leave the result there.

    With a moving average in the recipe, it is what the network has in the end, and what the checkpoint calls
    ``network``. On the CPU a training that was cut off and gone on with ends with the same weights to the bit.

    Args:
        network: images (N, 3, height, width) -> class scores; it is trained where it is, on the CPU or a GPU.
        images: to train on.
        recipe: steps, batch size, learning rate.
        seed: of order and augmentation.
        checkpoint: file to go on from and to write; all processes must see it.
        tell: progress.
        teacher: trained network on the same device, whose scores are learnt beside the labels.
        ranks: the processes that train this network together, each of which calls this with the same arguments.

    Raises:
        NoAnswer: the training diverged: weights are no numbers any more. The checkpoint keeps the last that were.
        WrongUse: the checkpoint belongs to another training, or a batch cannot be shared by the processes.
    """
    training = _Training(network, images, recipe, seed, checkpoint, teacher, ranks)
    return training.run(tell)


def scoring_batches(images: LabelledImages, ranks: Ranks = ALONE) -> Batches:
    """Batches to score on; keep them to score several networks, since they remember the images they have read."""
    height, width = images.size
    count = min(_SCORE_BATCH, max(1, _SCORE_PIXELS // (height * width)))
    return Batches(images, count, seed=0, augment=False, share=ranks.share)


def score_network(network: nn.Module, batches: Batches, ranks: Ranks = ALONE) -> tuple[float, dict[str, float]]:
    """How good a network is on all images, and on each class that occurs.

    The score is mean intersection over union where pixels have classes, and top-1 accuracy where pictures do. Pixels
    are those of the network's input: labels come at its size, by nearest neighbour, whatever size their files have.

    Args:
        network: its mode is left as it was.
        batches: all images are scored on, in order and as they are.
        ranks: processes that score it together, each on its part of ``scoring_batches``; all get the same answer.

    Returns:
        mIoU and IoU by class name, or accuracy and accuracy by class name, 0 to 1; mIoU is NaN when no pixel is
        labelled.
    """
    if not len(batches.images):
        raise WrongUse(f"{batches.images.name} holds no image to score on. Choose another --data.")
    was_training, device = network.training, _device_of(network)
    network.eval()
    classes = batches.images.classes
    ignore = None if batches.images.has_one_class_each else IGNORE
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    with torch.inference_mode():
        for pictures, labels in batches.all_batches():
            predicted = network(pictures.to(device)).argmax(dim=1).cpu()
            counts += confusion_matrix(labels.numpy(), predicted.numpy(), len(classes), ignore)
    network.train(was_training)
    counts = ranks.total_counts(counts)
    score = score_of(batches.images)
    by_class = zip(classes, score.by_class(counts).tolist(), strict=True)
    return score.overall(counts), {name: share for name, share in by_class if share == share}


def recalibrate(network: nn.Module, batches: Batches, count: int) -> None:
    """Renew batch-norm statistics as plain means over ``count`` training batches; weights are left alone.

    With a ``count`` of 0 the statistics stay as they are. A network picked from a supernet inherits statistics of all
    the paths that shared its layers.
    """
    if count == 0:
        return
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    network.train()
    device = _device_of(network)
    with torch.no_grad():
        for pictures, _ in batches.take(count):
            network(pictures.to(device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


@final
class _Training:
    """A training that may have been begun before; arguments as of ``train_network``."""

    def __init__(
        self,
        network: nn.Module,
        images: LabelledImages,
        recipe: TrainRecipe,
        seed: int,
        checkpoint: Path,
        teacher: nn.Module | None,
        ranks: Ranks,
    ) -> None:
        self._identity = _identity(network, images, recipe, seed, teacher)
        self._network, self._recipe, self._checkpoint, self._ranks = network, recipe, checkpoint, ranks
        self._device = _device_of(network)
        self._called, self._trained = together(network, ranks)
        self._optimizer = _optimizer(self._trained, recipe)
        self._class_weights: Tensor | None = None
        self._batches = Batches(
            *(images, recipe.batch_size),
            seed=seed,
            augment=True,
            augmentation=recipe.augmentation,
            workers=recipe.workers,
            share=ranks.share,
        )
        self._precision = MixedPrecision(recipe.precision, self._device.type)
        self._average = WeightAverage(self._trained, recipe.ema) if recipe.ema else None
        self._teacher = None
        if teacher is not None:
            self._teacher = Teacher(teacher, recipe.teacher_share, recipe.teacher_temperature)

    def run(self, tell: Tell) -> Pace:
        """Take the steps that are left."""
        steps, first = self._recipe.steps, self._resume()
        self._refuse_diverged(first)
        if first < steps:
            self._class_weights = _class_weights(self._batches.images, self._recipe, self._device)
        self._called.train()
        began, waiting_s = time.monotonic(), 0.0
        # Closed, no thread goes on reading for a training that was interrupted.
        with closing(self._batches.take(steps, first_step=first)) as batches:
            saved_at = began
            for step in range(first, steps):
                asked_at = time.monotonic()
                pictures, labels = next(batches)
                waiting_s += time.monotonic() - asked_at
                self._step(pictures.to(self._device), labels.to(self._device), step)
                tell(step + 1, steps)
                if step + 1 == steps or (step + 1) % LOOK_EVERY == 0:
                    self._refuse_diverged(step + 1)
                if step + 1 == steps or time.monotonic() - saved_at > CHECKPOINT_EVERY_S:
                    self._save(step + 1)
                    saved_at = time.monotonic()
        whole_s = time.monotonic() - began
        self._hand_over()
        return Pace(steps - first, whole_s, waiting_s)

    def _step(self, pictures: Tensor, labels: Tensor, step: int) -> None:
        self._optimizer.param_groups[0]["lr"] = self._recipe.rate * (1 - step / self._recipe.steps) ** 0.9
        self._optimizer.zero_grad(set_to_none=True)
        self._precision.step(self._loss(pictures, labels), self._optimizer, self._recipe.clip)
        self._ranks.settle(self._trained)
        if self._average is not None:
            self._average.update(self._trained, step)

    def _loss(self, pictures: Tensor, labels: Tensor) -> Tensor:
        """Of a batch, or of this process's part; then their mean is what one process would have for the whole."""
        scores, teacher, ranks = self._precision.scores(self._called, pictures), self._teacher, self._ranks
        weights = self._class_weights
        if teacher is None and weights is None and ranks.count == 1:
            return cross_entropy(scores, labels)
        loss = cross_entropy(scores, labels, "sum", weights)
        if teacher is not None:
            loss = teacher.mixed(loss, scores, teacher.says(pictures, self._precision), labels)
        # Parts differ in how many of their pixels count. (Weights of classes are 1 in the mean over all images.)
        return loss / (ranks.total(counted(labels)) / ranks.count).clamp(min=1).float()

    def _resume(self) -> int:
        """Restore from the checkpoint where there is one; returns the step to go on from."""
        step = 0
        if self._checkpoint.exists():
            tensors, step = load_own_checkpoint(self._checkpoint, self._identity, "training", _LATER)
            if self._average is not None:
                self._average.restore(_SCORED, tensors)
            restore_module(_SCORED if self._average is None else _RAW, self._trained, tensors)
            restore_optimizer("optimizer", self._optimizer, tensors)
            self._precision.restore(tensors)
        if self._ranks.total(torch.tensor(step, device=self._device)) != step * self._ranks.count:
            raise WrongUse(
                f"{self._checkpoint} must be the same file to all processes. Choose a folder that they share."
            )
        return step

    def _refuse_diverged(self, step: int) -> None:
        if not is_finite(self._trained):
            away = f", and move {self._checkpoint} away" if self._checkpoint.exists() else ""
            raise NoAnswer(
                f"The training of {self._checkpoint.stem} diverged: after {step} of {self._recipe.steps} steps its "
                f"weights are not finite. Lower rate, or set clip = 1{away}."
            )

    def _save(self, step: int) -> None:
        """Write the checkpoint; not with weights that are no numbers, which the next look will find."""
        if not self._ranks.is_first or not is_finite(self._trained):
            return
        tensors = module_tensors(_SCORED if self._average is None else _RAW, self._trained)
        if self._average is not None:
            tensors |= self._average.tensors(_SCORED)
        tensors |= {**optimizer_tensors("optimizer", self._optimizer), **self._precision.tensors()}
        save_checkpoint(self._checkpoint, tensors, {**self._identity, "step": step})

    def _hand_over(self) -> None:
        """Give the network what it is to be used with."""
        if self._average is not None:
            self._average.put_into(self._network)
        elif self._trained is not self._network:
            self._network.load_state_dict(self._trained.state_dict())
        self._network.train()
        self._ranks.wait()  # Nobody looks for the checkpoint before it is there.


def _optimizer(network: nn.Module, recipe: TrainRecipe) -> torch.optim.Optimizer:
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(network.parameters(), recipe.rate, weight_decay=recipe.weight_decay)
    return torch.optim.SGD(network.parameters(), recipe.rate, momentum=0.9, weight_decay=recipe.weight_decay)


def _class_weights(images: LabelledImages, recipe: TrainRecipe, device: torch.device) -> Tensor | None:
    if recipe.class_weights == "none":
        return None
    weights = torch.from_numpy(enet_weights(class_shares(images)))
    return weights.to(device, torch.float32)


def _device_of(network: nn.Module) -> torch.device:
    """Where a network is; the CPU where it has no weights."""
    weight = next(network.parameters(), None)
    return torch.device("cpu") if weight is None else weight.device


def is_finite(network: nn.Module) -> bool:
    """Whether all weights and statistics are numbers; the device is asked once."""
    finite = [tensor.isfinite().all() for tensor in network.state_dict().values() if tensor.is_floating_point()]
    return not finite or bool(torch.stack(finite).all())


def _identity(
    network: nn.Module, images: LabelledImages, recipe: TrainRecipe, seed: int, teacher: nn.Module | None
) -> dict[str, object]:
    settings = recipe.identity()
    for name in ("images", "test_images"):  # What there is of them is told below, and by who scores.
        del settings[name]
    if teacher is None:
        settings = {name: value for name, value in settings.items() if not name.startswith("teacher_")}
    else:
        settings["teacher"] = _digest(teacher)
    return {
        "seed": seed,
        **settings,
        "images": [images.name, len(images)],
        # Networks of all sizes have the same modules.
        "input_size": list(images.size),
        "network": layers_digest(network),
    }


def _digest(network: nn.Module) -> str:
    """Of all that a network computes."""
    digest = hashlib.sha256(str(network).encode())
    for name, tensor in network.state_dict().items():
        digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
