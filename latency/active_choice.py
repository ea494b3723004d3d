"""Which workloads to measure next: those that teach most about the ones that are left.

A Gaussian process says how sure each time is, and how sure it would be after some other workload was measured, without
that time being known: variances depend on what is measured, not on what comes out (Rasmussen and Williams, equation
2.26). So a batch is chosen one by one: each time the workload that most reduces the variance summed over everything
that is not measured (the integrated variance of Cohn, Active learning with statistical models, JAIR 4, 1996; greedy
choice of it in Krause and others, Near-optimal sensor placements, JMLR 9, 2008), which also keeps a batch apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from devices import WrongUse
from latency.cost_models.columns import Columns
from latency.cost_models.cost_model import Timings
from latency.cost_models.gaussian_process import GaussianProcess, condition
from latency.cost_models.process import Posterior, Prior
from latency.workload import Workload

Array: TypeAlias = npt.NDArray[np.float64]

_USUAL_NOISE = 0.01
"""Relative deviation of a measurement to come: what a sampling plan asks for by default, about."""


def most_telling(
    known: Timings | None,
    candidates: Sequence[Workload],
    count: int,
    *,
    weights: Array | None = None,
    costs_s: Array | None = None,
) -> list[int]:
    """Which of ``candidates`` to measure next. The same input gives the same choice.

    Args:
        known: what was measured; None or fewer than 8 before that, when only the workloads themselves tell how much
            they have in common.
        candidates: what was not measured.
        count: how many to choose.
        weights: how much each candidate's relative variance matters, shape (n,); alike by default. Squares of how often
            a workload occurs times its expected time make it the variance of networks in seconds.
        costs_s: expected cost of measuring each, shape (n,), seconds; with it what counts is learned per second.

    Returns:
        Indices of the chosen ones, the most telling first; all of them where there are no more than ``count``.

    Raises:
        WrongUse: ``count`` is not positive, weights or costs are not one for each candidate, a weight is negative, or a
            cost is not positive.
    """
    weight, cost_s = _checked(len(candidates), count, weights, costs_s)
    if not candidates:
        return []
    return _greedy(_uncertainty(known, candidates), weight, cost_s, min(count, len(candidates)))


def _checked(size: int, count: int, weights: Array | None, costs_s: Array | None) -> tuple[Array, Array]:
    weight = np.ones(size) if weights is None else weights
    cost_s = np.ones(size) if costs_s is None else costs_s
    if (
        count < 1
        or weight.shape != (size,)
        or cost_s.shape != (size,)
        or not ((weight >= 0).all() and (cost_s > 0).all())
    ):
        raise WrongUse(
            f"Choosing needs a count of at least 1, and for each of {size} candidates a weight of at least 0 and a "
            f"cost above 0 s; got count {count}, weights {weight.shape} and costs {cost_s.shape}."
        )
    return weight, cost_s


def _uncertainty(known: Timings | None, candidates: Sequence[Workload]) -> Array:
    """Covariance of the logarithms of the candidates' times, shape (n, n)."""
    seen = known.workloads if known is not None else ()
    columns = Columns.of((*seen, *candidates))
    if known is not None and len(known) >= GaussianProcess.least_points:
        return condition(columns, known)[0].covariance(columns.rows(candidates))
    # Too few to learn from, but what was measured need not be measured again: only variances are asked for.
    prior, nothing = Prior.usual(np.array(columns.vary)), np.zeros(len(seen))
    return Posterior(prior, columns.rows(seen), nothing, nothing + _USUAL_NOISE**2).covariance(columns.rows(candidates))


def _greedy(covariance: Array, weight: Array, cost_s: Array, count: int) -> list[int]:
    """Indices that reduce the weighted sum of variances most, one after the other, for each second that they cost.

    Measuring b takes u u^T off the covariance C, with u = C_b / sqrt(C_bb + noise), and so (w . u_b^2) off the sum.
    Sums w . C_i^2 are carried along instead of C, which makes a step a product with a vector.
    """
    variance, sums = np.diag(covariance).copy(), weight @ covariance**2
    taken, chosen = np.zeros((len(covariance), count)), list[int]()
    open_to_choice = np.ones(len(covariance), dtype=np.bool_)
    for step in range(count):
        certainty = variance + _USUAL_NOISE**2
        best = int(np.where(open_to_choice, sums / (certainty * cost_s), -np.inf).argmax())
        before = taken[:, :step]
        learned = (covariance[best] - before @ before[best]) / certainty[best] ** 0.5
        mixed = weight * learned
        left = covariance @ mixed - before @ (before.T @ mixed)
        sums = np.maximum(sums - 2 * learned * left + learned**2 * (mixed @ learned), 0.0)
        variance = np.maximum(variance - learned**2, 0.0)
        taken[:, step] = learned
        chosen.append(best)
        open_to_choice[best] = False
    return chosen
