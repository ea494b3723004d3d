"""Pareto fronts: networks that no other beats in everything, and how much a front covers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from devices import WrongUse
from search.strategies import Trial

Array: TypeAlias = npt.NDArray[np.float64]
Flags: TypeAlias = npt.NDArray[np.bool_]


def non_dominated(values: Array) -> Flags:
    """Which rows no other row is nowhere above and somewhere below; of equal rows, the first.

    Args:
        values: objectives, each to be minimised, shape (n, objectives).

    Returns:
        Shape (n,).
    """
    kept = np.zeros(len(values), dtype=np.bool_)
    order = np.lexsort(values.T[::-1])  # Whoever beats a row comes before it.
    if values.shape[1] == 2:
        second = values[order, 1]
        least = np.minimum.accumulate(np.concatenate([[np.inf], second]))[:-1]
        kept[order] = second < least
        return kept
    found = np.empty((0, values.shape[1]))
    for index in order:
        if not (found <= values[index]).all(axis=1).any():
            kept[index] = True
            found = np.vstack([found, values[index]])
    return kept


def pareto_front(trials: Sequence[Trial]) -> list[Trial]:
    """The trials that no other beats in score and in every cost, by falling score.

    Args:
        trials: their ``objectives`` are the costs; the one ``cost`` of a trial that has none.
    """
    scored = [trial for trial in trials if trial.feasible and trial.score is not None and trial.cost is not None]
    if not scored:
        return []
    values = np.array([[-(trial.score or 0.0), *costs_of(trial)] for trial in scored])
    front = [trial for trial, kept in zip(scored, non_dominated(values), strict=True) if kept]
    return sorted(front, key=lambda trial: (-(trial.score or 0.0), costs_of(trial)))


def costs_of(trial: Trial) -> tuple[float, ...]:
    """All costs of a trial that has one at least."""
    assert trial.cost is not None, "a trial within a limit has a cost"
    return trial.objectives or (trial.cost,)


def hypervolume(values: Array, reference: Sequence[float]) -> float:
    """How much of the space below a reference point the rows cover together.

    Larger is better, and no front that beats another has less (Zitzler and Thiele, Multiobjective evolutionary
    algorithms, IEEE Transactions on Evolutionary Computation 3, 1999).

    Exact, slice by slice along the last objective: fine for some hundred rows and up to about five objectives.

    Args:
        values: objectives, each to be minimised, shape (n, objectives).
        reference: a point that is worse than all that counts, shape (objectives,); rows beyond it cover nothing.

    Raises:
        WrongUse: the reference has another number of objectives.
    """
    point = np.asarray(reference, dtype=np.float64)
    if values.ndim != 2 or point.shape != (values.shape[1],):
        raise WrongUse(f"A reference point needs a value for each objective; got {point.shape} for {values.shape}.")
    inside = values[(values < point).all(axis=1)]
    return _volume(inside[non_dominated(inside)], point) if len(inside) else 0.0


def _volume(front: Array, point: Array) -> float:
    if front.shape[1] == 1:
        return float(point[0] - front.min())
    ordered = front[np.argsort(front[:, -1], kind="stable")]
    ends = np.append(ordered[1:, -1], point[-1])
    total = 0.0
    for count, (start, end) in enumerate(zip(ordered[:, -1], ends, strict=True), 1):
        if end > start:
            slab = ordered[:count, :-1]
            total += float(end - start) * _volume(slab[non_dominated(slab)], point[:-1])
    return total
