"""Training a network on labelled images, scoring it, and renewing its batch-norm statistics."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from devices import WrongUse
from search.checkpoint import (
    load_own_checkpoint,
    module_tensors,
    optimizer_tensors,
    restore_module,
    restore_optimizer,
    save_checkpoint,
)
from search.data import IGNORE, Batches, LabelledImages, confusion_matrix, score_of
from search.recipe import TrainRecipe

Tell: TypeAlias = Callable[[int, int], None]
"""Told after each step: steps done and steps in all."""

CHECKPOINT_EVERY_S = 10.0
"""Work that a kill may cost. A checkpoint of the demo takes some milliseconds."""

_SCORE_BATCH = 16
"""Images in a batch when scoring; it changes speed only."""


def cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy over the pixels that count, or over whole pictures.

    Args:
        scores: (N, classes, height, width), or (N, classes).
        labels: class ids, int64 (N, height, width), 255 where a pixel does not count; or (N,), which all count.
    """
    if labels.ndim == 1:
        return functional.cross_entropy(scores, labels)
    return functional.cross_entropy(scores, labels, ignore_index=IGNORE)


def train_network(
    network: nn.Module,
    images: LabelledImages,
    recipe: TrainRecipe,
    seed: int,
    checkpoint: Path,
    tell: Tell = lambda done, steps: None,
) -> None:
    """Train ``network`` in place; go on from ``checkpoint`` where there is one, and leave the result there.

    Args:
        network: images (N, 3, height, width) -> class scores.
        images: to train on.
        recipe: steps, batch size, learning rate.
        seed: of order and augmentation.
        checkpoint: file to go on from and to write.
        tell: progress.

    Raises:
        WrongUse: the checkpoint belongs to another training.
    """
    optimizer = torch.optim.SGD(network.parameters(), recipe.rate, momentum=0.9, weight_decay=recipe.weight_decay)
    batches = Batches(images, recipe.batch_size, seed=seed, augment=True)
    identity = _identity(network, images, recipe, seed)
    first = _resume(checkpoint, network, optimizer, identity)
    network.train()
    saved_at = time.monotonic()
    for step, (pictures, labels) in enumerate(batches.take(recipe.steps, first_step=first), first):
        optimizer.param_groups[0]["lr"] = recipe.rate * (1 - step / recipe.steps) ** 0.9
        optimizer.zero_grad(set_to_none=True)
        cross_entropy(network(pictures), labels).backward()
        optimizer.step()
        tell(step + 1, recipe.steps)
        if step + 1 == recipe.steps or time.monotonic() - saved_at > CHECKPOINT_EVERY_S:
            tensors = {**module_tensors("network", network), **optimizer_tensors("optimizer", optimizer)}
            save_checkpoint(checkpoint, tensors, {**identity, "step": step + 1})
            saved_at = time.monotonic()


def scoring_batches(images: LabelledImages) -> Batches:
    """Batches to score on; keep them to score several networks, since they remember the images they have read."""
    return Batches(images, _SCORE_BATCH, seed=0, augment=False)


def score_network(network: nn.Module, batches: Batches) -> tuple[float, dict[str, float]]:
    """How good a network is on all images, and on each class that occurs.

    The score is mean intersection over union where pixels have classes, and top-1 accuracy where pictures do.

    Args:
        network: its mode is left as it was.
        batches: all images are scored on, in order and as they are.

    Returns:
        mIoU and IoU by class name, or accuracy and accuracy by class name, 0 to 1; mIoU is NaN when no pixel is
        labelled.
    """
    was_training = network.training
    network.eval()
    counts, classes = None, batches.images.classes
    ignore = None if batches.images.has_one_class_each else IGNORE
    with torch.inference_mode():
        for pictures, labels in batches.all_batches():
            predicted = network(pictures).argmax(dim=1)
            part = confusion_matrix(labels.numpy(), predicted.numpy(), len(classes), ignore)
            counts = part if counts is None else counts + part
    network.train(was_training)
    if counts is None:
        raise WrongUse(f"{batches.images.name} holds no image to score on. Choose another --data.")
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
    with torch.no_grad():
        for pictures, _ in batches.take(count):
            network(pictures)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def _identity(network: nn.Module, images: LabelledImages, recipe: TrainRecipe, seed: int) -> dict[str, object]:
    return {
        "seed": seed,
        "steps": recipe.steps,
        "batch_size": recipe.batch_size,
        "rate": recipe.rate,
        "weight_decay": recipe.weight_decay,
        "images": [images.name, len(images)],
        # Weights of one shape fit networks that differ, in dilation for one.
        "network": hashlib.sha256(str(network).encode()).hexdigest()[:16],
    }


def _resume(checkpoint: Path, network: nn.Module, optimizer: torch.optim.Optimizer, identity: dict[str, object]) -> int:
    """Restore from ``checkpoint`` where there is one; returns the step to go on from."""
    if not checkpoint.exists():
        return 0
    tensors, step = load_own_checkpoint(checkpoint, identity, "training")
    restore_module("network", network, tensors)
    restore_optimizer("optimizer", optimizer, tensors)
    return step
