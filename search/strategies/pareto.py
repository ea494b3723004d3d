"""Who dominates whom: fronts and crowding of several objectives, each to be minimised."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from search.strategies.feasible import Array, Indices


def dominance(values: Array) -> npt.NDArray[np.bool_]:
    """Whether row i is nowhere above row j and somewhere below it, shape (n, n).

    Args:
        values: objectives, shape (n, objectives).
    """
    nowhere_above = np.ones((len(values), len(values)), dtype=np.bool_)
    somewhere_below = np.zeros_like(nowhere_above)
    for column in values.T:
        nowhere_above &= column[:, None] <= column
        somewhere_below |= column[:, None] < column
    return nowhere_above & somewhere_below


def fronts(values: Array) -> Indices:
    """The front that each row belongs to, shape (n,): 0 is dominated by none, 1 by rows of front 0 alone, and so on.

    The fast non-dominated sort of Deb et al. (A fast and elitist multiobjective genetic algorithm: NSGA-II, 2002,
    section III-A): each row knows how many dominate it, and a front that is taken out lowers those numbers.

    Args:
        values: objectives, shape (n, objectives).
    """
    over = dominance(values)
    left = over.sum(axis=0)
    front = np.full(len(values), -1, dtype=np.intp)
    for number in range(len(values)):
        current = (front < 0) & (left == 0)
        front[current] = number
        left = left - over[current].sum(axis=0)
        if (front >= 0).all():
            break
    return front


def crowding(values: Array, front: Indices) -> Array:
    """How far each row is from its neighbours in its front, shape (n,); infinite at the ends (Deb et al., III-B).

    Args:
        values: objectives, shape (n, objectives).
        front: of each row, shape (n,).
    """
    distance = np.zeros(len(values))
    for number in np.unique(front):
        members = np.flatnonzero(front == number)
        for column in values[members].T:
            distance[members] += _gaps(column)
    return distance


def _gaps(column: Array) -> Array:
    """Distance between the two neighbours of each value, as a share of the whole range."""
    order = np.argsort(column, kind="stable")
    ordered = column[order]
    gaps = np.full(len(column), np.inf)
    width = ordered[-1] - ordered[0]
    gaps[order[1:-1]] = (ordered[2:] - ordered[:-2]) / width if width > 0 else 0.0
    return gaps
