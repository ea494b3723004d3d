"""What to try next, under a limit: spaces, objectives, strategies, supernets, data.

Names that need torch are imported when they are first used, so that ``import search`` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from search.calibration_networks import balanced_architectures
from search.compare import WHOLE_NETWORK_PLAN, Images, NetworkComparison, common_space
from search.comparison import Comparison, Interval, NetworkResult
from search.data import (
    IGNORE,
    SPLITS,
    Batches,
    LabelledImages,
    class_iou,
    confusion_matrix,
    mean_iou,
    open_images,
)
from search.known_architectures import (
    AccelNasBench,
    FbnetPicks,
    MeasuredArchitectures,
    NasBench201Cells,
    OfaMobileNetV3,
)
from search.loop import best, run
from search.objective import Objective
from search.recipe import Recipe, SearchRecipe, TrainRecipe
from search.result import SearchResult
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
from search.strategies import PolicyStrategy, Strategy, Trial, WithinLimit

if TYPE_CHECKING:
    from search.differentiable import DifferentiableSearch
    from search.supernet import Policy, Supernet
    from search.training import recalibrate, score_network, scoring_batches, train_network

_NEED_TORCH = {
    "DifferentiableSearch": "search.differentiable",
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
    "IGNORE",
    "PUBLISHED",
    "SPACES",
    "SPLITS",
    "WHOLE_NETWORK_PLAN",
    "AccelNasBench",
    "Architecture",
    "Batches",
    "Candidate",
    "Comparison",
    "DifferentiableSearch",
    "FbnetPicks",
    "Images",
    "Interval",
    "LabelledImages",
    "MeasuredArchitectures",
    "NasBench201Cells",
    "NetworkComparison",
    "NetworkResult",
    "Objective",
    "OfaMobileNetV3",
    "Policy",
    "PolicyStrategy",
    "Recipe",
    "SearchRecipe",
    "SearchResult",
    "Space",
    "Strategy",
    "Supernet",
    "TrainRecipe",
    "Trial",
    "Unit",
    "WithinLimit",
    "balanced_architectures",
    "best",
    "cell_features",
    "class_iou",
    "common_space",
    "confusion_matrix",
    "is_live",
    "mean_iou",
    "open_images",
    "open_published",
    "open_space",
    "read_cells",
    "recalibrate",
    "run",
    "score_network",
    "scoring_batches",
    "train_network",
]
