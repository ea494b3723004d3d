"""What to try next, under a limit: spaces, costs, strategies, evaluators, supernets, data.

Names that need torch are imported when they are first used, so that ``import search`` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from search.baseline import BY_HAND, Baseline, mobilenetv2_of_width, widest_mobilenetv2
from search.calibration_networks import balanced_architectures
from search.compare import WHOLE_NETWORK_PLAN, Images, NetworkComparison, spaces_of
from search.comparison import Comparison, Interval, NetworkResult
from search.compute_device import training_device
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
from search.delivery import Delivery
from search.evaluators import (
    CachedEvaluator,
    Evaluator,
    Naswot,
    Synflow,
    TabularEvaluator,
    TrainedFromScratch,
    UserFunction,
)
from search.exporting import (
    ExportedOnnx,
    Weights,
    engine_words,
    exported_onnx,
    random_weights,
    trained_weights,
    write_shipped,
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
from search.model_card import Accuracy, ModelCard, ShippedFile
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
from search.trained_network import TrainedNetwork

if TYPE_CHECKING:
    from search.differentiable import DifferentiableSearch
    from search.distillation import cross_entropy
    from search.distributed import Ranks, joined
    from search.evaluators.inherited_weights import InheritedWeights
    from search.mixing import Thrift
    from search.path_modes import mixtures, path_mode
    from search.supernet import Policy, Supernet
    from search.training import recalibrate, score_network, scoring_batches, train_network

_NEED_TORCH = {
    "DifferentiableSearch": "search.differentiable",
    "InheritedWeights": "search.evaluators.inherited_weights",
    "Policy": "search.supernet",
    "Ranks": "search.distributed",
    "Supernet": "search.supernet",
    "Thrift": "search.mixing",
    "cross_entropy": "search.distillation",
    "mixtures": "search.path_modes",
    "path_mode": "search.path_modes",
    "joined": "search.distributed",
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
    "BY_HAND",
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
    "Accuracy",
    "AdditiveFeasible",
    "Architecture",
    "Baseline",
    "Batches",
    "CachedEvaluator",
    "Candidate",
    "ClassifiedImages",
    "Comparison",
    "Cost",
    "Delivery",
    "DifferentiableSearch",
    "Evaluator",
    "ExportedOnnx",
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
    "ModelCard",
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
    "Ranks",
    "Recipe",
    "RegularizedEvolution",
    "ReinforceController",
    "ScalarLog",
    "SearchRecipe",
    "SearchResult",
    "ShippedFile",
    "Space",
    "Standing",
    "Strategy",
    "Supernet",
    "SurrogateSearch",
    "Synflow",
    "TabularBenchmark",
    "TabularEvaluator",
    "Thrift",
    "TrainRecipe",
    "TrainedFromScratch",
    "TrainedNetwork",
    "Trial",
    "UniformStrategy",
    "Unit",
    "UserFunction",
    "Weights",
    "WithinLimit",
    "accuracy",
    "balanced_architectures",
    "best",
    "best_additive",
    "cell_features",
    "class_accuracy",
    "class_iou",
    "confusion_matrix",
    "costs_of",
    "cross_entropy",
    "engine_words",
    "exported_onnx",
    "feasible_set",
    "format_cost",
    "hypervolume",
    "is_live",
    "joined",
    "known_strategies",
    "mean_iou",
    "mixtures",
    "mobilenetv2_of_width",
    "non_dominated",
    "open_images",
    "open_published",
    "open_space",
    "open_strategy",
    "pareto_front",
    "path_mode",
    "random_weights",
    "read_cells",
    "recalibrate",
    "run",
    "score_network",
    "score_of",
    "scoring_batches",
    "spaces_of",
    "train_network",
    "trained_weights",
    "training_device",
    "widest_mobilenetv2",
    "write_shipped",
]
