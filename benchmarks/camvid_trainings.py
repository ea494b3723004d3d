"""The trainings of camvid.py: all alike, several at once where that is faster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar, final

from latency import Workload, build_module
from search import LabelledImages, TrainRecipe

Name = TypeVar("Name")


@final
@dataclass(frozen=True)
class Training:
    """A network that is to be trained from scratch and scored on the test images.

    Attributes:
        network: it, as an operator.
        train: images to train on.
        test: images to score on.
        recipe: how it is trained.
        seed: of its weights and of the images' order.
        checkpoint: file to go on from and to write.
        device: that it is trained on.
    """

    network: Workload
    train: LabelledImages
    test: LabelledImages
    recipe: TrainRecipe
    seed: int
    checkpoint: Path
    device: str

    def score(self) -> float:
        """Train, and return the mIoU on the test images, 0 to 1."""
        from search import score_network, scoring_batches, train_network

        network = build_module(self.network, seed=self.seed).to(self.device)
        train_network(network, self.train, self.recipe, self.seed, self.checkpoint)
        score, _ = score_network(network, scoring_batches(self.test))
        return score


def scores(trainings: Mapping[Name, Training], at_once: int, threads: int | None) -> Iterator[tuple[Name, float]]:
    """Train all, and give each score as soon as it and those before it are known.

    Args:
        trainings: by name, in the order of their scores.
        at_once: processes that train; 1 trains in this one.
        threads: of each of them; all cores without.
    """
    if at_once == 1:
        yield from ((name, training.score()) for name, training in trainings.items())
        return
    # Processes that are spawned: torch's threads do not survive a fork.
    pool = ProcessPoolExecutor(at_once, get_context("spawn"), initializer=_begin, initargs=(threads,))
    try:
        running = {name: pool.submit(training.score) for name, training in trainings.items()}
        yield from ((name, each.result()) for name, each in running.items())
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(threads: int | None) -> None:
    from paceline.options import use_threads

    use_threads(threads)
