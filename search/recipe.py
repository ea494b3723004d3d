"""How long and how fast to search and to train: plain numbers, from a TOML file or the defaults."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from devices import WrongUse, unknown_name
from search.data.augmentation import AUGMENTATIONS

PRECISIONS = ("fp32", "bf16", "fp16")
"""Number formats that a network can be trained in."""

OPTIMIZERS = ("sgd", "adamw")
"""What can make the steps of a training."""

CLASS_WEIGHTS = ("none", "enet")
"""What can decide how much a pixel of each class counts."""


@dataclass(frozen=True)
class SearchRecipe:
    """Numbers of a differentiable search. SqueezeNAS published none; these are for the demo's size.

    Attributes:
        warm_up_steps: steps on the weights alone, before the architecture is touched.
        alternating_steps: pairs of steps after that, one on the weights and one on the architecture.
        batch_size: images per step.
        weights_rate: learning rate of the weights (SGD, momentum 0.9), cosine to 0 over all steps.
        weight_decay: of the weights.
        policy_rate: learning rate of the architecture logits (Adam).
        loss: what the architecture is trained on: ``hinge`` (ours), ``squeezenas``, ``fbnet``,
            ``proxylessnas_multiply`` or ``proxylessnas_add``; ``search/losses.py`` has the formulas.
        cost_weight: weight of the cost in losses that add it, as a share of the limit; ProxylessNAS has 0.2.
        alpha: scale of losses that multiply by the cost; FBNet's. ProxylessNAS' code has 1.
        beta: power of the cost's logarithm in them.
        first_temperature: of the Gumbel-Softmax at the first architecture step.
        last_temperature: at the last; in between it falls exponentially.
        candidates: networks drawn within the limit and scored with inherited weights.
        least_cost: share of the limit that they cost at least, as far as the policy draws such networks; 0 is any cost.
        recalibration_batches: training batches that renew the batch-norm statistics before a network is scored.
        score_images: validation images a candidate is scored on at most.
        paths: candidates of a unit that a step computes after the warm-up, which computes one, drawn uniformly for each
            batch: ``straight_through`` (the drawn one, and in policy steps the
            outputs of all), ``two`` (as ProxylessNAS: the drawn one, and in policy steps the output of another),
            ``drawn`` (GDAS), or ``soft`` (all of them for every image, as the code of SqueezeNAS does);
            ``search/path_modes.py`` says more.
        draws: ``batch`` draws for all images of a batch together, ``image`` for each; ``auto`` is ``image`` for
            ``soft`` and ``batch`` for the others.
        checkpointing: keep only what units read, and compute the rest twice: less memory, more time.
        channels_last: keep the channels of a pixel side by side in memory.
        bf16: compute the supernet in bfloat16; weights, statistics and the loss stay in fp32.
    """

    warm_up_steps: int = 300
    alternating_steps: int = 100
    batch_size: int = 8
    weights_rate: float = 0.1
    weight_decay: float = 1e-4
    policy_rate: float = 0.05
    loss: str = "hinge"
    cost_weight: float = 2.0
    alpha: float = 0.2
    beta: float = 0.6
    first_temperature: float = 5.0
    last_temperature: float = 0.5
    candidates: int = 16
    least_cost: float = 0.0
    recalibration_batches: int = 4
    score_images: int = 64
    paths: str = "straight_through"
    draws: str = "auto"
    checkpointing: bool = False
    channels_last: bool = False
    bf16: bool = False

    def __post_init__(self) -> None:
        """Refuse nonsense as soon as it is said."""
        if not 0 <= self.least_cost <= 1:
            raise WrongUse(f"least_cost must be a share of the limit, from 0 to 1; got {self.least_cost}.")


@dataclass(frozen=True)
class TrainRecipe:
    """Numbers of training one network.

    Attributes:
        steps: optimiser steps.
        batch_size: images per step, of all processes together.
        optimizer: ``sgd`` (momentum 0.9) or ``adamw``, which learns more in few steps, with a ``rate`` of about 0.01.
        rate: learning rate, falling with power 0.9 of the steps left ("poly").
        weight_decay: of all weights.
        images: training images to use at most or, of generated scenes, to generate.
        test_images: images to score on at most.
        class_weights: how much a pixel counts in the cross entropy: ``none`` (all alike), or ``enet``, the more the
            rarer its class is in the training images (``search/class_weights.py`` has the formula). What a teacher says
            counts alike everywhere.
        augmentation: how training images are changed at random: ``zoom`` (mirrored, zoomed in), ``full`` (mirrored,
            scaled by 0.5 to 2 and cut, in another light) or ``none``.
        ema: decay of a moving average of weights and batch-norm statistics, which is then what is scored and kept;
            0 is without. 0.999 is usual for thousands of steps.
        precision: number format of the convolutions: ``fp32``, ``bf16`` or ``fp16``, whose loss is scaled so that
            gradients do not vanish. Weights, statistics and the loss stay in fp32.
        clip: largest norm of the gradient, which is shortened to it; 0 is without.
        teacher_share: where there is a teacher, its share of the loss; cross entropy has the rest.
        teacher_temperature: that the scores of both are divided by before they are compared.
        workers: threads that read images ahead; 0 reads them when they are needed. They change nothing but time.

    Raises:
        WrongUse: there is no such optimizer, weighting, augmentation or precision, or ``ema`` or ``teacher_share`` is
            out of its range.
    """

    steps: int = 300
    batch_size: int = 8
    rate: float = 0.1
    weight_decay: float = 1e-4
    images: int = 400
    test_images: int = 100
    augmentation: str = "zoom"
    ema: float = 0.0
    precision: str = "fp32"
    clip: float = 0.0
    teacher_share: float = 0.5
    teacher_temperature: float = 2.0
    workers: int = 1
    optimizer: str = "sgd"
    class_weights: str = "none"

    def __post_init__(self) -> None:
        """Refuse nonsense as soon as it is said."""
        for what, name, known in (
            ("augmentation", self.augmentation, AUGMENTATIONS),
            ("precision to train in", self.precision, PRECISIONS),
            ("optimizer", self.optimizer, OPTIMIZERS),
            ("class_weights", self.class_weights, CLASS_WEIGHTS),
        ):
            if name not in known:
                raise unknown_name(what, name, known)
        if not 0 <= self.ema < 1:
            raise WrongUse(f"ema must be 0, or a decay below 1 such as 0.999; got {self.ema}.")
        if not 0 <= self.teacher_share <= 1:
            raise WrongUse(f"teacher_share must be a share of the loss, from 0 to 1; got {self.teacher_share}.")

    def identity(self) -> dict[str, Any]:
        """What decides the weights that come out: all settings, but of those with a later date only what differs.

        Checkpoints and scores from before these settings were there so stay what they are.
        """
        values = asdict(self)
        for name in _LATER:
            if values[name] == getattr(TrainRecipe, name):
                del values[name]
        del values["workers"]
        return values


_LATER = (
    *("augmentation", "ema", "precision", "clip", "teacher_share", "teacher_temperature"),
    *("optimizer", "class_weights"),
)
"""Settings that say nothing where they have their defaults."""


@dataclass(frozen=True)
class Recipe:
    """Both recipes; written in TOML as the tables ``[search]`` and ``[train]``."""

    search: SearchRecipe = SearchRecipe()
    train: TrainRecipe = TrainRecipe()

    @staticmethod
    def read(path: Path | None) -> Recipe:
        """Read a recipe; what a file leaves out keeps its default.

        Raises:
            WrongUse: the file cannot be read, is no TOML, or has an unknown name or a value of the wrong kind.
        """
        if path is None:
            return Recipe()
        try:
            tables = tomllib.loads(path.read_text())
        except OSError as error:
            raise WrongUse(f"{path} cannot be read ({error.strerror}).") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise WrongUse(f"{path} is no TOML file: {error}. A recipe has the tables [search] and [train].") from error
        for name in tables:
            if name not in {"search", "train"}:
                raise unknown_name(f"table in {path}", name, ["search", "train"])
        return Recipe(
            _overridden(SearchRecipe(), tables.get("search", {}), f"[search] of {path}"),
            _overridden(TrainRecipe(), tables.get("train", {}), f"[train] of {path}"),
        )

    def to_json(self) -> dict[str, Any]:
        """The recipe as plain values."""
        return asdict(self)


_MAY_BE_ZERO = {
    *("warm_up_steps", "alternating_steps", "weight_decay", "cost_weight", "recalibration_batches", "least_cost"),
    *("ema", "clip", "teacher_share", "workers"),
}
"""Settings that mean "leave it out" when they are 0. Nothing may be negative."""

_R = TypeVar("_R", SearchRecipe, TrainRecipe)


def _overridden(defaults: _R, values: object, where: str) -> _R:
    if not isinstance(values, Mapping):
        raise WrongUse(f"{where} must be a table; got {values!r}.")
    known = asdict(defaults)
    for name, value in values.items():
        if name not in known:
            raise unknown_name(f"setting in {where}", name, known)
        if not _fits(known[name], value, may_be_zero=name in _MAY_BE_ZERO):
            raise WrongUse(
                f"{name} in {where} must be {_kind(name, known[name])}, such as {known[name]}; got {value!r}."
            )
        known[name] = type(known[name])(value)
    return type(defaults)(**known)


def _kind(name: str, default: bool | int | float | str) -> str:
    """What a setting must be, in words."""
    if isinstance(default, bool):
        return "true or false"
    bound = "0 or more" if name in _MAY_BE_ZERO else "above 0"
    return "text" if isinstance(default, str) else f"{type(default).__name__}, {bound}"


def _fits(default: bool | int | float | str, value: object, *, may_be_zero: bool) -> bool:
    if isinstance(default, str) or isinstance(value, str):
        return isinstance(default, str) and isinstance(value, str)
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    kinds = (int, float) if isinstance(default, float) else (int,)
    return isinstance(value, kinds) and (0 < float(value) < math.inf or (value == 0 and may_be_zero))
