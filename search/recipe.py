"""How long and how fast to search and to train: plain numbers, from a TOML file or the defaults."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from devices import WrongUse, unknown_name


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
        recalibration_batches: training batches that renew the batch-norm statistics before a network is scored.
        score_images: validation images a candidate is scored on at most.
        soft: compute all candidates of a unit, as the published code does, in place of the one that was drawn.
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
    recalibration_batches: int = 4
    score_images: int = 64
    soft: bool = False


@dataclass(frozen=True)
class TrainRecipe:
    """Numbers of training one network.

    Attributes:
        steps: optimiser steps.
        batch_size: images per step.
        rate: learning rate (SGD, momentum 0.9), falling with power 0.9 of the steps left ("poly").
        weight_decay: of all weights.
        images: training images to use at most or, of generated scenes, to generate.
        test_images: images to score on at most.
    """

    steps: int = 300
    batch_size: int = 8
    rate: float = 0.1
    weight_decay: float = 1e-4
    images: int = 400
    test_images: int = 100


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


_MAY_BE_ZERO = {"warm_up_steps", "alternating_steps", "weight_decay", "cost_weight", "recalibration_batches"}
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
