"""Networks that are worth measuring whole: together they hold every candidate of every unit equally often."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from devices import WrongUse
from search.spaces import Architecture, Space


def balanced_architectures(
    space: Space, count: int, seed: int, barred: npt.NDArray[np.bool_] | None = None
) -> list[Architecture]:
    """Random networks in which each candidate of a unit occurs equally often, up to one.

    In each unit the candidates are dealt like cards, all of them before any comes again, in an order of the unit's own
    (Latin hypercube sampling: McKay, Beckman and Conover 1979). Networks drawn one by one would leave out
    some candidates by chance: of 13, one in 11 never occurs among 30.

    Args:
        space: to draw from.
        count: how many networks.
        seed: of the orders.
        barred: candidates that must not occur, shape (units, candidates): those that failed on the device.

    Raises:
        WrongUse: count is not at least 1, or all candidates of a unit are barred.
    """
    if count < 1:
        raise WrongUse(f"At least 1 network is needed; got {count}.")
    rng = np.random.default_rng(seed)
    columns = []
    for number, unit in enumerate(space.units):
        choices = np.arange(len(unit.candidates)) if barred is None else np.flatnonzero(~barred[number])
        if not len(choices):
            raise WrongUse(
                f"All candidates of {unit.name} failed on the device. Measure them again, or choose another."
            )
        hands = [rng.permutation(choices) for _ in range(-(-count // len(choices)))]
        columns.append(rng.permutation(np.concatenate(hands)[:count]))
    return [Architecture(space.name, tuple(int(pick) for pick in picks)) for picks in np.column_stack(columns)]
