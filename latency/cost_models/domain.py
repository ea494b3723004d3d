"""What was measured, and whether a workload lies inside it: models interpolate well and extrapolate badly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self, TypeAlias, final

import numpy as np
import numpy.typing as npt

from latency.cost_models.amounts import amounts
from latency.workload import Workload

Array: TypeAlias = npt.NDArray[np.float64]

_CHOOSES_ALGORITHM = ("kernel", "stride", "dilation")
"""Attributes whose every value may run other code (a 3x3 is computed by Winograd's algorithm, a 5x5 is not), so that
a value between two that were measured is no less new than one outside."""

_LEAST_SCALE = 0.2
"""Least standard deviation of the logarithm of an amount: one that hardly varied among what was measured may vary by a
fifth more, and is then no further away than an amount that did vary."""

_USUAL_GAP = 0.95
_WIDER = 1.5
"""Inside is what is no further from what was measured than 1.5 times the gaps there: of each measured workload to the
nearest other one, the 95 % quantile, so that one lonely workload does not stretch the whole. A random new workload of
the same kind is inside with 98 to 99 %, see the tests."""

_LEAST_GAP = 0.25
"""A quarter of a standard deviation is no extrapolation, however densely was measured."""

_MOST_POINTS = 4000
"""Workloads that are kept per kind. More make files large, and gaps between so many are far below ``_LEAST_GAP``."""

_DIGITS = 6
"""Digits behind the point that are kept, in memory as in a file."""

Kind: TypeAlias = tuple[str, ...]


@final
@dataclass(frozen=True, eq=False)
class Domain:
    """The workloads that were measured, as far as asking for neighbours needs them.

    Attributes:
        centre: mean of the logarithm of each amount, shape (amounts,).
        scale: its standard deviation, shape (amounts,).
        points: for each kind (operator, precision, attributes that choose the algorithm) the standardised logarithms
            of the amounts of its different workloads, shape (n, amounts).
        reach: the distance up to which a workload is a neighbour.
    """

    centre: Array
    scale: Array
    points: Mapping[Kind, Array]
    reach: float

    @staticmethod
    def of(workloads: Sequence[Workload]) -> Domain:
        """The domain of at least one workload."""
        logs = np.log(amounts(workloads))
        centre, scale = logs.mean(axis=0), np.maximum(logs.std(axis=0), _LEAST_SCALE)
        rows = _by_kind(workloads)
        standard = (logs - centre) / scale
        points = {kind: _thinned(np.unique(standard[places].round(_DIGITS), axis=0)) for kind, places in rows.items()}
        return Domain(centre, scale, points, _reach(points.values()))

    def has(self, workloads: Sequence[Workload]) -> npt.NDArray[np.bool_]:
        """Whether each workload lies inside, shape (n,)."""
        return self.distance(workloads) <= self.reach

    def distance(self, workloads: Sequence[Workload]) -> Array:
        """Distance to the nearest measured workload of its kind, in standard deviations; infinite without one."""
        standard = (np.log(amounts(workloads)) - self.centre) / self.scale
        found = np.full(len(workloads), np.inf)
        for kind, places in _by_kind(workloads).items():
            if kind in self._trees:
                found[places] = self._trees[kind].query(standard[places])[0]
        return found

    @cached_property
    def _trees(self) -> Mapping[Kind, Any]:
        return {kind: _tree(points) for kind, points in self.points.items()}

    def to_json(self) -> dict[str, Any]:
        """The domain as plain values."""
        return {
            "centre": self.centre.tolist(),
            "scale": self.scale.tolist(),
            "points": [[list(kind), points.tolist()] for kind, points in self.points.items()],
            "reach": self.reach,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Rebuild what ``to_json`` gave.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        points = {tuple(kind): np.array(rows, dtype=np.float64) for kind, rows in values["points"]}
        centre, scale = (np.array(values[name], dtype=np.float64) for name in ("centre", "scale"))
        return cls(centre, scale, points, float(values["reach"]))


def _by_kind(workloads: Sequence[Workload]) -> Mapping[Kind, npt.NDArray[np.intp]]:
    """Indices of the workloads of each kind."""
    places = defaultdict[Kind, list[int]](list)
    for place, workload in enumerate(workloads):
        places[_kind(workload)].append(place)
    return {kind: np.array(found, dtype=np.intp) for kind, found in sorted(places.items())}


def _kind(workload: Workload) -> Kind:
    values = [f"{name}={workload.attributes[name]}" for name in _CHOOSES_ALGORITHM if name in workload.attributes]
    return (workload.operator, workload.precision, *values)


def _thinned(points: Array) -> Array:
    """At most ``_MOST_POINTS`` of them, always the same."""
    if len(points) <= _MOST_POINTS:
        return points
    return points[np.sort(np.random.default_rng(0).permutation(len(points))[:_MOST_POINTS])]


def _reach(groups: Iterable[Array]) -> float:
    gaps = [_tree(points).query(points, k=2)[0][:, 1] for points in groups if len(points) > 1]
    if not gaps:
        return _LEAST_GAP
    return max(_LEAST_GAP, _WIDER * float(np.quantile(np.concatenate(gaps), _USUAL_GAP)))


def _tree(points: Array) -> Any:
    from scipy.spatial import KDTree

    return KDTree(points)
