"""Networks found by computing all candidates and by computing two, in equal steps and in equal time."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from search import (
    AdditiveFeasible,
    DifferentiableSearch,
    LabelledImages,
    Objective,
    SearchRecipe,
    TrainedFromScratch,
    TrainRecipe,
    open_images,
)


@dataclass(frozen=True)
class Contest:
    """Searches and trainings that are compared.

    Attributes:
        objective: what is limited.
        limit: in its unit.
        source: of images.
        search: recipe of all searches but for paths and steps.
        train: recipe of all trainings.
        device: where all of them run.
    """

    objective: Objective
    limit: float
    source: str
    search: SearchRecipe
    train: TrainRecipe
    device: str = "cpu"

    @property
    def clock(self) -> Callable[[], float]:
        """What searches are timed by: without other programs where that can be told, which it cannot of a GPU."""
        return time.process_time if self.device == "cpu" else time.perf_counter

    def rows(self, seed: int, folder: Path) -> Iterator[tuple[str, dict[str, float]]]:
        """Searches one after another: name; seconds of alternating steps, their number, cost and mIoU of the network.

        Args:
            seed: of everything that is drawn.
            folder: for checkpoints, empty of those of this seed.
        """
        steps = self.search.alternating_steps
        soft = self._searched("soft", steps, seed, folder)
        yield "soft", soft
        two = self._searched("two", steps, seed, folder)
        yield "two", two
        more = max(steps, round(steps * soft["search_s"] / two["search_s"]))
        yield "two, equal time", two if more == steps else self._searched("two", more, seed, folder)
        feasible = AdditiveFeasible(self.objective.costs, self.limit, self.objective.fixed)
        drawn = tuple(int(pick) for pick in feasible.draw(1, np.random.default_rng(seed))[0])
        yield "random", {"search_s": 0.0, "steps": 0, **self._trained(drawn, seed, folder)}

    def _searched(self, paths: str, steps: int, seed: int, folder: Path) -> dict[str, float]:
        recipe = replace(self.search, paths=paths, alternating_steps=steps)
        at = dict[int, float]()
        file = folder / f"{paths}_{steps}_{seed}.safetensors"
        search = DifferentiableSearch(
            *(self.objective, self.limit, self._images("train", seed), self._images("val", seed), recipe, seed, file),
            device=self.device,
        )

        def tell(stage: str, done: int, *_: object) -> None:
            if stage == "supernet":
                at[done] = self.clock()

        at[0] = self.clock()
        trial, _ = search.search(tell)
        spent = at[recipe.warm_up_steps + steps] - at[recipe.warm_up_steps]
        return {"search_s": spent, "steps": steps, **self._trained(trial.picks, seed, folder)}

    def _trained(self, picks: tuple[int, ...], seed: int, folder: Path) -> dict[str, float]:
        images = self._images("train", seed), self._images("test", seed)
        evaluator = TrainedFromScratch(self.objective.space, *images, self.train, seed, folder, device=self.device)
        return {"cost": self.objective.cost_of(picks), "miou": evaluator.score(picks)}

    def _images(self, split: str, seed: int) -> LabelledImages:
        count = {"train": self.train.images, "val": self.search.score_images, "test": self.train.test_images}[split]
        return open_images(self.source, split, self.objective.space.input_size, seed=seed, count=count)


def show_networks(contest: Contest, seeds: int) -> None:
    """Run a contest and print each network as soon as there is one, so that a run that is cut off loses little.

    Args:
        contest: what is searched and trained.
        seeds: how many, from 0 on.
    """
    recipe, limit = contest.search, contest.objective.format(contest.limit)
    print(f"\nNetworks of {contest.objective.space.name} on {contest.source} within {limit}:")
    print(
        f"{recipe.warm_up_steps} steps on weights alone, then {recipe.alternating_steps} alternating ones of soft; as"
    )
    print("many of two, and as many as take as long as soft's;")
    print(
        f"{recipe.candidates} candidates that cost {recipe.least_cost:.0%} of the limit or more; "
        f"each network trained {contest.train.steps} steps."
    )
    scores, seconds = dict[str, list[float]](), "processor seconds" if contest.device == "cpu" else "seconds"
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(seeds):
            for name, row in contest.rows(seed, Path(folder)):
                scores.setdefault(name, []).append(row["miou"])
                cost = contest.objective.format(row["cost"])
                print(
                    f"seed {seed} {name:16} {row['steps']:4.0f} steps {row['search_s']:6.1f} {seconds} "
                    f"{cost:>12} test mIoU {row['miou']:.3f}",
                    flush=True,
                )
    for name, found in scores.items():
        spread = statistics.stdev(found) if len(found) > 1 else 0.0
        lead = statistics.mean(found) - statistics.mean(scores["soft"])
        print(f"{name:16} mean {statistics.mean(found):.3f}, deviation {spread:.3f}, against soft {lead:+.3f}")
