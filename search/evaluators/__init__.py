"""Evaluators: how good is a network? From a table, trained, with inherited weights, by a proxy, or by a user's own.

``InheritedWeights`` needs torch to be imported; it is found in its module.
"""

from search.evaluators.cached import CachedEvaluator
from search.evaluators.evaluator import Evaluator
from search.evaluators.from_scratch import TrainedFromScratch
from search.evaluators.tabular import TabularEvaluator
from search.evaluators.user_function import UserFunction
from search.evaluators.zero_cost import Naswot, Synflow, ZeroCostProxy

__all__ = [
    "CachedEvaluator",
    "Evaluator",
    "Naswot",
    "Synflow",
    "TabularEvaluator",
    "TrainedFromScratch",
    "UserFunction",
    "ZeroCostProxy",
]
