"""The trainings of camvid.py: all alike, several at once where that is faster."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import TypeVar, final

from benchmarks.background_load import cores
from devices import NoAnswer
from latency import Workload, build_module, load_plug_in, loaded_plug_ins
from search import LabelledImages, TrainRecipe

Name = TypeVar("Name")

RATES = {"sgd": TrainRecipe.rate, "adamw": 0.01}
"""Learning rates by optimizer, where none is asked for."""


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


def threads_each(at_once: int, asked: int | None) -> int | None:
    """Threads of each training: as many as were asked for, or each its share of the cores; None for torch's choice."""
    return max(1, cores() // at_once) if asked is None and at_once > 1 else asked


def scores(trainings: Mapping[Name, Training], at_once: int, threads: int | None) -> Iterator[tuple[Name, float]]:
    """Train all, and give each score as soon as it is known.

    No more are begun than run at once, so that one that fails ends all before long; what was trained is kept in the
    checkpoints.

    Args:
        trainings: by name.
        at_once: processes that train; 1 trains in this one.
        threads: of each process that is started, from ``threads_each``; without a part in it where ``at_once`` is 1.

    Raises:
        NoAnswer: a training diverged, or a process that trained was killed.
    """
    if at_once == 1:
        yield from ((name, training.score()) for name, training in trainings.items())
        return
    # Processes that are spawned: torch's threads do not survive a fork.
    known = (threads, loaded_plug_ins())
    with ProcessPoolExecutor(at_once, get_context("spawn"), initializer=_begin, initargs=known) as pool:
        waiting, running = iter(trainings.items()), dict[Future[float], Name]()

        def begin(count: int) -> None:
            running.update({pool.submit(training.score): name for name, training in islice(waiting, count)})

        begin(at_once)
        while running:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for each in done:
                yield running.pop(each), _score_of(each)
            begin(len(done))


def _score_of(training: Future[float]) -> float:
    try:
        return training.result()
    except BrokenProcessPool as error:
        raise NoAnswer(
            "A process that trained was killed; where memory ran out, --at-once 1 takes less. The same command goes on."
        ) from error


def _begin(threads: int | None, plug_ins: Sequence[Path]) -> None:
    """What a process does first."""
    from paceline.options import use_threads

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it, and not only what it is doing.
    Thread(target=_end_with_the_parent, daemon=True).start()
    for file in plug_ins:
        load_plug_in(file)
    use_threads(threads)


def _end_with_the_parent() -> None:
    """Nobody would wait for this process, and the same command would train the same networks beside it."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
