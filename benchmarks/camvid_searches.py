"""How the searches of camvid.py come to the networks that are then measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TypeAlias, final

from benchmarks.camvid_record import Picks, Terms
from devices import NoAnswer
from search import AdditiveFeasible, LabelledImages, Naswot, Objective, RegularizedEvolution, Space, Trial, run

Images: TypeAlias = Callable[[str, int], LabelledImages]
"""Gives the images of a split, by a seed."""

_COMPARED = 32
"""Images that NASWOT compares, as in ``paceline search --evaluator naswot``."""


@final
class Searches:
    """The searches of one contest.

    Args:
        space: what is searched.
        terms: lengths and rates.
        folder: for checkpoints and histories, a folder for each seed.
        images: to search on.
        device: that supernets are trained on.
    """

    def __init__(self, space: Space, terms: Terms, folder: Path, images: Images, device: str) -> None:
        self._terms, self._folder, self._images, self._device = terms, folder, images, device

        @cache
        def naswot(seed: int) -> Callable[[Picks], float]:
            train = images("train", seed)
            return cache(Naswot(space, seed, train, min(_COMPARED, len(train))).score)

        self._naswot = naswot

    def differentiable(self, name: str, objective: Objective, budget: float, seed: int) -> list[Picks]:
        """The candidates of a differentiable search, the best by the weights they inherit first.

        All of a seed begin with the same supernet, whose weights were trained alone.

        Args:
            name: of its files.
            objective: what is limited.
            budget: the limit.
            seed: of everything that is drawn.
        """
        from search import DifferentiableSearch

        folder = self._of_seed(seed)
        search = DifferentiableSearch(
            objective,
            budget,
            *(self._images("train", seed), self._images("val", seed)),
            self._terms.search,
            seed,
            folder / f"{name}.safetensors",
            warm_up=folder / "warm_up.safetensors",
            device=self._device,
        )
        _, trials = search.search()
        return _best_first(trials)

    def by_naswot(self, name: str, objective: Objective, budget: float, seed: int) -> list[Picks]:
        """The networks of an evolution, the best by NASWOT first; none is trained. Arguments as ``differentiable``.

        Networks far below the limit are left out, unless there are no others.

        Raises:
            NoAnswer: NASWOT has no number for any of them.
        """
        strategy = RegularizedEvolution(AdditiveFeasible(objective.costs, budget, objective.fixed), seed)
        history = self._of_seed(seed) / f"{name}.trials.jsonl"
        trials = run(strategy, self._naswot(seed), objective, budget, self._terms.evaluations, history)
        scored = [each for each in trials if each.score is not None]
        if not scored:
            raise NoAnswer(f"NASWOT has no number for any of {len(trials)} networks; it needs ReLUs to look at.")
        least = (1 - self._terms.band) * budget
        near = [each for each in scored if (each.cost or 0.0) >= least] or scored
        return _best_first(near)

    def _of_seed(self, seed: int) -> Path:
        folder = self._folder / f"seed_{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _best_first(trials: Sequence[Trial]) -> list[Picks]:
    return [each.picks for each in sorted(trials, key=lambda each: -(each.score or 0.0))]
