"""Regression trees as plain arrays: learned by scikit-learn, evaluated and saved without it.

What is evaluated is what was saved, number by number, so estimates do not change when a file is read back, nor with the
version of scikit-learn that is installed then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.intp]

_WALKS_AT_A_TIME = 1 << 13
"""A walk is one row in one tree. What so many need fits into the cache of a core: more at a time are slower, each."""

_SHRINKAGE = 5.0
"""Rows' worth of belief that a leaf says 0."""

_STEPS_AT_A_TIME = 3
"""Steps down between two looks at which walks have ended: trees are deep in few places."""

_SEED = 0


@final
@dataclass(frozen=True)
class Growth:
    """How trees are grown.

    Attributes:
        trees: how many.
        learning_rate: share of the error that each takes away.
        leaves: at most, of each tree.
        least_rows: in each leaf.
        bins: into which each column is sorted, at most 255; thresholds lie between them.
    """

    trees: int
    learning_rate: float
    leaves: int
    least_rows: int
    bins: int


@final
@dataclass(frozen=True, eq=False)
class Trees:
    """A sum of regression trees.

    Attributes:
        start: what is added to the trees.
        roots: index of the first node of each tree, shape (trees,).
        column: that each node looks at, shape (nodes,).
        number: threshold of a node, value of a leaf, shape (nodes,).
        left: index of the node to go to where the column is at most the threshold; of a leaf its own.
        right: index of the node to go to where it is above; of a leaf its own.
        missing_left: whether to go left where the column is NaN.
    """

    start: float
    roots: Indices
    column: Indices
    number: Array
    left: Indices
    right: Indices
    missing_left: npt.NDArray[np.bool_]

    @staticmethod
    def learned(columns: Array, values: Array, growth: Growth) -> Trees:
        """Trees that give ``values``, shape (n,), from ``columns``, shape (n, columns), by least squares."""
        from sklearn.ensemble import HistGradientBoostingRegressor

        model = HistGradientBoostingRegressor(
            max_iter=growth.trees,
            learning_rate=growth.learning_rate,
            max_leaf_nodes=growth.leaves,
            min_samples_leaf=growth.least_rows,
            max_bins=growth.bins,
            l2_regularization=_SHRINKAGE,
            early_stopping=False,
            random_state=_SEED,
        )
        used = _that_vary(columns)
        model.fit(columns[:, used], values)
        # scikit-learn has no public way to the nodes of this model; tests hold ours against its own estimates.
        nodes = [stage[0].nodes for stage in model._predictors]  # noqa: SLF001
        return _joined(nodes, used, float(np.ravel(model._baseline_prediction)[0]))  # noqa: SLF001

    @staticmethod
    def mean(ensemble: Sequence[Trees]) -> Trees:
        """Trees whose sum is the mean of the sums in ``ensemble``."""
        shifts = np.cumsum([0, *(len(trees.number) for trees in ensemble[:-1])])
        moved = list(zip(ensemble, shifts, strict=True))
        return Trees(
            start=sum(trees.start for trees in ensemble) / len(ensemble),
            roots=np.concatenate([trees.roots + shift for trees, shift in moved]),
            column=np.concatenate([trees.column for trees in ensemble]),
            number=np.concatenate(
                [np.where(trees.is_leaf, trees.number / len(ensemble), trees.number) for trees in ensemble]
            ),
            left=np.concatenate([trees.left + shift for trees, shift in moved]),
            right=np.concatenate([trees.right + shift for trees, shift in moved]),
            missing_left=np.concatenate([trees.missing_left for trees in ensemble]),
        )

    @property
    def is_leaf(self) -> npt.NDArray[np.bool_]:
        """Whether each node is a leaf, shape (nodes,)."""
        return np.asarray(self.left == np.arange(len(self.left)))

    def __call__(self, columns: Array) -> Array:
        """The sum for each row, shape (n,), from ``columns``, shape (n, columns).

        Trees are added in their order, so a row gives the same number alone as among others.
        """
        found = np.full(len(columns), self.start)
        for first in range(0, len(columns), _WALKS_AT_A_TIME):
            rows = slice(first, first + _WALKS_AT_A_TIME)
            self._add_to(found[rows], columns[rows])
        return found

    def _add_to(self, sums: Array, columns: Array) -> None:
        missing = np.isnan(columns)
        # A missing value is below every threshold in the first half of the columns, and above in the second half.
        seen = np.hstack([np.where(missing, -np.inf, columns), np.where(missing, np.inf, columns)])
        looks_at = np.where(self.missing_left, self.column, self.column + columns.shape[1])
        children = np.column_stack([self.left, self.right]).ravel()
        together = max(1, _WALKS_AT_A_TIME // max(1, len(columns)))
        for first in range(0, len(self.roots), together):
            leaves = self._leaves(self.roots[first : first + together], seen, looks_at, children)
            for values in self.number[leaves]:
                sums += values

    def _leaves(self, roots: Indices, seen: Array, looks_at: Indices, children: Indices) -> Indices:
        """Where the walks from each of ``roots`` end, shape (roots, rows)."""
        found = np.repeat(roots, len(seen))
        walking, node, at = np.arange(len(found)), found, np.tile(np.arange(len(seen)) * seen.shape[1], len(roots))
        values = seen.ravel()
        while len(walking):
            for _ in range(_STEPS_AT_A_TIME):
                goes_right = values[at + looks_at[node]] > self.number[node]
                node = children[2 * node + goes_right]
            found[walking] = node
            goes_on = self.left[node] != node
            walking, at, node = walking[goes_on], at[goes_on], node[goes_on]
        return found.reshape(len(roots), len(seen))

    def to_json(self) -> dict[str, Any]:
        """The trees as plain values."""
        arrays = ("roots", "column", "number", "left", "right")
        found = {name: getattr(self, name).tolist() for name in arrays}
        return {
            "start": self.start,
            **found,
            "missing_left": self.missing_left.astype(int).tolist(),
        }

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Trees:
        """Rebuild what ``to_json`` gave.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        indices = {name: np.array(values[name], dtype=np.intp) for name in ("roots", "column", "left", "right")}
        return Trees(
            start=float(values["start"]),
            number=np.array(values["number"], dtype=np.float64),
            missing_left=np.array(values["missing_left"], dtype=np.bool_),
            **indices,
        )


def _that_vary(columns: Array) -> Indices:
    """Indices of the columns that can tell rows apart; the first one where none can."""
    missing = np.isnan(columns)
    least = np.where(missing, np.inf, columns).min(axis=0)
    greatest = np.where(missing, -np.inf, columns).max(axis=0)
    some_missing = missing.any(axis=0) & ~missing.all(axis=0)
    found = np.flatnonzero((least < greatest) | some_missing)
    return found if len(found) else np.zeros(1, dtype=np.intp)


def _joined(trees: Sequence[npt.NDArray[Any]], columns: Indices, start: float) -> Trees:
    """One after the other; each is a structured array of nodes as scikit-learn has them, which look at ``columns``."""
    roots = np.cumsum([0, *(len(nodes) for nodes in trees[:-1])])
    nodes, first = np.concatenate(trees), np.repeat(roots, [len(nodes) for nodes in trees])
    is_leaf, itself = nodes["is_leaf"].astype(np.bool_), np.arange(len(nodes))
    return Trees(
        start=start,
        roots=roots,
        column=np.where(is_leaf, 0, columns[nodes["feature_idx"]]),
        # Where only what is missing goes right the threshold is infinite, which JSON does not know.
        number=np.where(is_leaf, nodes["value"], np.minimum(nodes["num_threshold"], np.finfo(np.float64).max)),
        left=np.where(is_leaf, itself, first + nodes["left"]),
        right=np.where(is_leaf, itself, first + nodes["right"]),
        missing_left=nodes["missing_go_to_left"].astype(np.bool_),
    )
