"""How far to trust deviations: by what happens to rows that a model did not learn from."""

from __future__ import annotations

from statistics import NormalDist
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float64]

_Z90 = NormalDist().inv_cdf(0.95)

_PRIOR_ROWS = 10
"""So many rows' worth of belief that a model's own deviations are right: the 90 % quantile of fewer rows is noise."""

LEAST_FACTOR, _MOST = 0.5, 3.0
"""A model that is wrong by more about its own deviations is wrong in other ways."""


def deviation_factor(errors: Array, deviations: Array, least: float = LEAST_FACTOR) -> float:
    """By what to multiply deviations so that -+ 1.645 of them cover nine tenths.

    Split conformal prediction with normalised scores (Lei and others, Distribution-free predictive inference for
    regression, JASA 113, 2018, section 5.2), pulled towards 1 where rows are few.

    Args:
        errors: of predictions of rows that were left out, shape (n,).
        deviations: that were expected of them, shape (n,).
        least: the least that comes back; 1 where rows were left out of predictions but not of all that was learned, so
            that they are kinder than new ones.
    """
    if not len(errors):
        return 1.0
    level = min(1.0, 0.9 * (1 + 1 / len(errors)))
    found = float(np.quantile(np.abs(errors) / deviations, level)) / _Z90
    trust = len(errors) / (len(errors) + _PRIOR_ROWS)
    return float(np.clip(np.exp(trust * np.log(max(found, 1e-9))), least, _MOST))
