"""Scalars of a search for TensorBoard: best score, its cost, and the share of networks within the limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, final

from devices import NotAvailable, WrongUse
from search.cost import Cost
from search.standing import Standing
from search.strategies import Trial


@final
class ScalarLog(AbstractContextManager[Callable[[Sequence[Trial]], None]]):
    """Writes the standing of a search after each trial; ``tensorboard --logdir FOLDER`` draws it.

    A search that goes on from a history writes what came before anew, and what an earlier run wrote is dropped by
    TensorBoard, so that nothing is drawn twice.

    Args:
        folder: for the event files.
        objective: what the first limit is on.

    Raises:
        NotAvailable: the package ``tensorboard`` is missing.
        WrongUse: the folder cannot be written to.
    """

    def __init__(self, folder: Path, objective: Cost) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise NotAvailable(
                "--tensorboard needs the package tensorboard. pip install 'paceline[tensorboard]'"
            ) from error
        try:
            self._writer: Any = SummaryWriter(str(folder), purge_step=0)
        except OSError as error:
            raise WrongUse(
                f"Scalars cannot be written to {folder} ({error.strerror}). Choose another folder for --tensorboard."
            ) from error
        self._objective = objective
        self._standing = Standing.of(())

    def __enter__(self) -> Callable[[Sequence[Trial]], None]:
        """What is to be told of trials; closed when the search ends, however it does."""
        return self.tell

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what is left and close the file."""
        self._writer.close()

    def tell(self, trials: Sequence[Trial]) -> None:
        """Write the standing after each trial that was not told before.

        Args:
            trials: all so far, in order.
        """
        for trial in trials[self._standing.tried :]:
            self._standing = self._standing.then([trial])
            self._write(self._standing)

    def _write(self, standing: Standing) -> None:
        step = standing.tried
        self._writer.add_scalar("search/feasible_share", standing.feasible_share, step)
        if standing.best is not None:
            self._writer.add_scalar("search/best_score", standing.best.score, step)
            self._writer.add_scalar(f"search/best_{self._objective.name}", standing.best.cost, step)
