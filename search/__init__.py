"""What to try next, under a limit: spaces, costs, strategies, evaluators, supernets, data.

Names that need torch are imported when they are first used, so that ``import search`` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from search.calibration_networks import balanced_architectures
from search.compare import WHOLE_NETWORK_PLAN, Images, NetworkComparison, common_space
from search.comparison import Comparison, Interval, NetworkResult
from search.cost import OBJECTIVES, Cost, Goal, format_cost
from search.data import (
    IGNORE,
    SPLITS,
    Batches,
    ClassifiedImages,
    LabelledImages,
    accuracy,
    class_accuracy,
    class_iou,
    confusion_matrix,
    mean_iou,
    open_images,
    score_of,
)
from search.evaluators import (
    CachedEvaluator,
    Evaluator,
    Naswot,
    Synflow,
    TabularEvaluator,
    TrainedFromScratch,
    UserFunction,
)
from search.feasibility import feasible_set
from search.known_architectures import (
    AccelNasBench,
    FbnetPicks,
    MeasuredArchitectures,
    NasBench201Cells,
    OfaMobileNetV3,
)
from search.known_costs import KnownCosts
from search.listed import ListedCost, ListedNetworks
from search.loop import best, run
from search.objective import Objective
from search.pareto import costs_of, hypervolume, non_dominated, pareto_front
from search.peak_memory import PeakMemory
from search.recipe import Recipe, SearchRecipe, TrainRecipe
from search.result import FrontPoint, SearchResult
from search.scalars import ScalarLog
from search.spaces import (
    CITYSCAPES,
    PUBLISHED,
    SPACES,
    Architecture,
    Candidate,
    Space,
    Unit,
    open_published,
    open_space,
)
from search.spaces.nasbench201_cells import CELL_EDGES, CELL_OPERATIONS, cell_features, is_live, read_cells
from search.standing import Standing
from search.strategies import (
    AdditiveFeasible,
    FeasibleSet,
    ListedFeasible,
    Nsga2,
    OptunaStrategy,
    PolicyStrategy,
    RegularizedEvolution,
    ReinforceController,
    Strategy,
    SurrogateSearch,
    Trial,
    UniformStrategy,
    WithinLimit,
    best_additive,
)
from search.strategy_choices import (
    DEFAULT_STRATEGY,
    PARETO_STRATEGIES,
    STRATEGIES,
    known_strategies,
    open_strategy,
)
from search.tabular_benchmark import TabularBenchmark

if TYPE_CHECKING:
    from search.differentiable import DifferentiableSearch
    from search.evaluators.inherited_weights import InheritedWeights
    from search.supernet import Policy, Supernet
    from search.training import recalibrate, score_network, scoring_batches, train_network

_NEED_TORCH = {
    "DifferentiableSearch": "search.differentiable",
    "InheritedWeights": "search.evaluators.inherited_weights",
    "Policy": "search.supernet",
    "Supernet": "search.supernet",
    "recalibrate": "search.training",
    "score_network": "search.training",
    "scoring_batches": "search.training",
    "train_network": "search.training",
}


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is asked for (PEP 562)."""
    if name in _NEED_TORCH:
        return getattr(import_module(_NEED_TORCH[name]), name)
    raise AttributeError(f"module 'search' has no attribute {name!r}")


__all__ = [
    "CELL_EDGES",
    "CELL_OPERATIONS",
    "CITYSCAPES",
    "DEFAULT_STRATEGY",
    "IGNORE",
    "OBJECTIVES",
    "PARETO_STRATEGIES",
    "PUBLISHED",
    "SPACES",
    "SPLITS",
    "STRATEGIES",
    "WHOLE_NETWORK_PLAN",
    "AccelNasBench",
    "AdditiveFeasible",
    "Architecture",
    "Batches",
    "CachedEvaluator",
    "Candidate",
    "ClassifiedImages",
    "Comparison",
    "Cost",
    "DifferentiableSearch",
    "Evaluator",
    "FbnetPicks",
    "FeasibleSet",
    "FrontPoint",
    "Goal",
    "Images",
    "InheritedWeights",
    "Interval",
    "KnownCosts",
    "LabelledImages",
    "ListedCost",
    "ListedFeasible",
    "ListedNetworks",
    "MeasuredArchitectures",
    "NasBench201Cells",
    "Naswot",
    "NetworkComparison",
    "NetworkResult",
    "Nsga2",
    "Objective",
    "OfaMobileNetV3",
    "OptunaStrategy",
    "PeakMemory",
    "Policy",
    "PolicyStrategy",
    "Recipe",
    "RegularizedEvolution",
    "ReinforceController",
    "ScalarLog",
    "SearchRecipe",
    "SearchResult",
    "Space",
    "Standing",
    "Strategy",
    "Supernet",
    "SurrogateSearch",
    "Synflow",
    "TabularBenchmark",
    "TabularEvaluator",
    "TrainRecipe",
    "TrainedFromScratch",
    "Trial",
    "UniformStrategy",
    "Unit",
    "UserFunction",
    "WithinLimit",
    "accuracy",
    "balanced_architectures",
    "best",
    "best_additive",
    "cell_features",
    "class_accuracy",
    "class_iou",
    "common_space",
    "confusion_matrix",
    "costs_of",
    "feasible_set",
    "format_cost",
    "hypervolume",
    "is_live",
    "known_strategies",
    "mean_iou",
    "non_dominated",
    "open_images",
    "open_published",
    "open_space",
    "open_strategy",
    "pareto_front",
    "read_cells",
    "recalibrate",
    "run",
    "score_network",
    "score_of",
    "scoring_batches",
    "train_network",
]
