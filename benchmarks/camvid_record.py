"""What camvid.py compares, what it keeps between runs, and which limit a search gets next."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, final

from devices import NoAnswer, WrongUse
from latency import SamplingPlan
from search import Interval, SearchRecipe, TrainRecipe

Picks: TypeAlias = tuple[int, ...]

LATENCY, MACS, BEST_OF_RANDOM, RANDOM = "latency-searched", "MAC-searched", "best random", "random"
LATENCY_NASWOT, MACS_NASWOT = "latency, NASWOT", "MACs, NASWOT"
BY_HAND = "MobileNetV2"
CONTENDERS = (LATENCY, MACS, LATENCY_NASWOT, MACS_NASWOT, BEST_OF_RANDOM, RANDOM, BY_HAND)

BY_LATENCY = {LATENCY: MACS, LATENCY_NASWOT: MACS_NASWOT}
"""Searches under a limit on latency, and those that differ from them in nothing but that theirs is on MACs."""

CLOSE = 0.05
"""A network that takes this share less than the limit is as slow as it may be: nothing is gained by another search."""

_AIM = 0.99
"""Of the limit: what the next search is to come to."""

_LEAST_STEP = 0.95
"""While nothing fits, each budget is at most this share of the last."""

MEASURED = 6
"""Networks of a search that are measured at most, the best first, until one takes the limit or little less."""

MOST_TRIES = 12
"""Random networks that are measured, and searches beyond those asked for, before nothing is taken to fit."""


@final
@dataclass(frozen=True)
class Terms:
    """What decides the outcome of a run, beside the machine.

    Attributes:
        space: what is searched.
        input_size: height and width of the images.
        data: where they come from.
        limit: on the measured latency of whole networks: a time, or a share of the space's reference network.
        seeds: how many, from 0 on.
        search: recipe of the differentiable searches.
        train: recipe of all trainings.
        tries: searches of a contender, each under a limit of its own, until a network takes the limit or little less;
            more only while none fits.
        band: networks are predicted to take at most this share less than the limit.
        calibration: networks that calibrate the table; 0 leaves it as it is.
        rounds: most rounds of every measurement.
        sample_s: time that a sample spans at least, in seconds.
        precision: number format that is measured.
        evaluations: networks that each search by NASWOT scores.
    """

    space: str
    input_size: tuple[int, int]
    data: str
    limit: str
    seeds: int
    search: SearchRecipe
    train: TrainRecipe
    tries: int = 4
    band: float = 0.1
    calibration: int = 20
    rounds: int = 8
    sample_s: float = SamplingPlan.sample_s
    precision: str = "fp32"
    evaluations: int = 200


@final
class Record:
    """What is known already, by name, in a file that is there whole or as it was before.

    Args:
        path: the file.
        asked: all that what is known depends on.

    Raises:
        WrongUse: the file is the record of something else.
    """

    def __init__(self, path: Path, asked: Mapping[str, Any]) -> None:
        self._path, self._asked = path, json.loads(json.dumps(asked))
        self._known: dict[str, Any] = {}
        if path.exists():
            try:
                held = json.loads(path.read_text(encoding="utf-8"))
                before, self._known = held["asked"], held["known"]
            except (ValueError, KeyError, TypeError) as error:
                raise WrongUse(f"{path} is no record of this benchmark ({error}). Choose another --out.") from error
            if before != self._asked:
                names = [name for name in self._asked if before.get(name) != self._asked[name]]
                raise WrongUse(f"{path} is of a run with other {', '.join(names)}. Choose another --out.")

    def __contains__(self, name: str) -> bool:
        """Whether it is known."""
        return name in self._known

    def __getitem__(self, name: str) -> Any:
        """What is known by that name; a KeyError where nothing is."""
        return self._known[name]

    def get(self, name: str, make: Callable[[], Any]) -> Any:
        """What is known by that name, as plain values; made now unless it is."""
        if name not in self._known:
            self._known[name] = json.loads(json.dumps(make()))
            self._path.parent.mkdir(parents=True, exist_ok=True)
            begun = self._path.with_name(self._path.name + ".part")
            begun.write_text(json.dumps({"asked": self._asked, "known": self._known}, indent=1), encoding="utf-8")
            begun.replace(self._path)
        return self._known[name]


@final
@dataclass(frozen=True)
class Try:
    """A search under a budget, and what the network takes that stands for it.

    Attributes:
        budget: the search's limit, in seconds or MACs.
        picks: the network.
        time_s: measured whole.
    """

    budget: float
    picks: Picks
    time_s: float

    def is_close(self, limit_s: float) -> bool:
        """Whether its network takes the limit or little less."""
        return (1 - CLOSE) * limit_s <= self.time_s <= limit_s


@final
@dataclass(frozen=True)
class Entry:
    """A contender's network with one seed, and what became of it.

    Attributes:
        contender: one of ``CONTENDERS``.
        seed: of search and training.
        space: the network's.
        architecture: the candidate picked in each unit.
        macs: of one image.
        parameters: trainable ones.
        predicted: time from the table.
        measured: time of the whole network, measured together with all others.
        miou: on the test images, 0 to 1.
        budget: limit of the search that found it, in seconds or MACs; None where nobody searched.
        tries: searches, or networks measured, until it was found.
    """

    contender: str
    seed: int
    space: str
    architecture: tuple[str, ...]
    macs: int
    parameters: int
    predicted: Interval
    measured: Interval
    miou: float
    budget: float | None
    tries: int


def next_budget(tried: Sequence[Try], limit_s: float, tries: int) -> float | None:
    """The limit of the next search, in the unit of the budgets; None when none is needed.

    The last budget is scaled by what its network falls short of the limit or exceeds it. Where that leads beyond a
    budget that is known not to fit, or below one that is known to, it is the middle of the two.

    Args:
        tried: at least one.
        limit_s: that networks must measure within.
        tries: so many, and more only while none fits.

    Raises:
        NoAnswer: many more were tried, and none fits.
    """
    last, fitting = tried[-1], [each for each in tried if each.time_s <= limit_s]
    if any(each.is_close(limit_s) for each in fitting) or (fitting and len(tried) >= tries):
        return None
    if len(tried) >= tries + MOST_TRIES:
        raise NoAnswer(f"None of {len(tried)} searches found a network that measures within {limit_s * 1e3:.4g} ms.")
    wanted = last.budget * _AIM * limit_s / last.time_s
    if not fitting:
        return min(wanted, _LEAST_STEP * min(each.budget for each in tried))
    low = max(each.budget for each in fitting)
    high = min((each.budget for each in tried if each.budget > low), default=math.inf)
    return wanted if low < wanted < high else low * 1.1 if math.isinf(high) else (low + high) / 2


def slowest_fitting(tried: Sequence[Try], limit_s: float) -> Try:
    """Of the networks that fit, the one that comes closest to the limit."""
    return max((each for each in tried if each.time_s <= limit_s), key=lambda each: each.time_s)


def one_of(networks: Sequence[Picks], budget: float, time_of: Callable[[Picks], float], limit_s: float) -> Try:
    """The network that stands for a search: the first that takes the limit or little less.

    Where none does, it is the slowest that fits, and where none fits, the fastest.

    Args:
        networks: that the search scored, the best first; no more than ``MEASURED`` of them are measured.
        budget: of the search.
        time_of: measures one, in seconds.
        limit_s: that networks must measure within.
    """
    measured = list[Try]()
    for picks in networks[:MEASURED]:
        measured.append(Try(budget, picks, time_of(picks)))
        if measured[-1].is_close(limit_s):
            return measured[-1]
    if any(each.time_s <= limit_s for each in measured):
        return slowest_fitting(measured, limit_s)
    return min(measured, key=lambda each: each.time_s)
