"""From costs and limits to the set of networks that strategies may propose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from devices import NoAnswer, WrongUse
from search.cost import Additive, Goal
from search.joint_feasible import JointFeasible
from search.listed import ListedCost, ListedNetworks
from search.strategies.feasible import AdditiveFeasible, FeasibleSet, ListedFeasible


def feasible_set(goals: Sequence[Goal]) -> FeasibleSet:
    """The networks within all limits.

    Listed costs are looked up, additive ones drawn from by dynamic programming; a listed space is listed whatever else
    it is limited in.

    Args:
        goals: one or more costs of the same space, each with its limit.

    Raises:
        NoAnswer: no network is within one of the limits (with the cheapest there is), or within all at once.
        WrongUse: there is no goal, they belong to different spaces, or one limits what is neither listed nor a sum.
    """
    if len({goal.cost.space_name for goal in goals}) != 1:
        raise WrongUse(f"Goals must be of one space; got {[goal.cost.space_name for goal in goals]}.")
    for goal in goals:
        goal.cost.refuse_impossible(goal.limit)
    lists = [goal.cost.networks for goal in goals if isinstance(goal.cost, ListedCost)]
    return _listed(lists[0], goals) if lists else _additive(goals)


def _listed(networks: ListedNetworks, goals: Sequence[Goal]) -> ListedFeasible:
    costs = [goal.cost.cost(networks.picks) for goal in goals]
    within = np.all([cost <= goal.limit for cost, goal in zip(costs, goals, strict=True)], axis=0)
    if not within.any():
        raise NoAnswer(_told_together(goals))
    return ListedFeasible(networks.picks, np.where(within, costs[0], np.nan))


def _additive(goals: Sequence[Goal]) -> FeasibleSet:
    limits = [_limit_on_sum(goal) for goal in goals]
    barred = np.any([np.isnan(limit.costs) for limit in limits], axis=0)
    dead = np.flatnonzero(barred.all(axis=1))
    if len(dead):
        raise NoAnswer(f"Every candidate of unit {dead[0]} fails or is above a limit by itself. Raise that --limit.")
    limits = [replace(limit, costs=np.where(barred, np.nan, limit.costs)) for limit in limits]
    binding = [limit for limit in limits if _binds(limit)] or limits[:1]
    if len(binding) > 1:
        return JointFeasible(binding)
    (limit,) = binding
    try:
        return AdditiveFeasible(limit.costs, limit.budget, limit.fixed)
    except NoAnswer as error:
        # Of the candidates that the other limits leave, even the cheapest are too dear.
        raise NoAnswer(_told_together(goals)) from error


def _limit_on_sum(goal: Goal) -> Additive:
    limit = goal.cost.additive(goal.limit)
    if limit is None:
        raise WrongUse(f"A limit on {goal.cost.title} is no limit on a sum, and its networks are not listed.")
    return limit


def _told_together(goals: Sequence[Goal]) -> str:
    limits = ", ".join(f"{goal.cost.title} {goal.cost.format(goal.limit)}" for goal in goals if goal.limit < np.inf)
    return (
        f"No network of {goals[0].cost.space_name} is within all limits at once, though each can be met: {limits}. "
        "Raise one of them."
    )


def _binds(limit: Additive) -> bool:
    """Whether some network is above it, or so near that the order of the sum decides."""
    return bool(limit.fixed + np.nanmax(limit.costs, axis=1).sum() > limit.budget * (1 - 1e-12))
