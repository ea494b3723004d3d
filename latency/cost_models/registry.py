"""Cost models by name. A new one is one file and one line here; third parties register an entry point.

The entry-point group is ``paceline.cost_models``; an entry point names a subclass of ``latency.CostModel`` that can be
constructed without arguments, by the name that the class has itself. One that is broken, or that has the name of a
cost model that is shipped, is left out.
"""

from __future__ import annotations

from collections.abc import Mapping

from devices import unknown_name
from latency.cost_models.boosted_trees import BoostedTrees
from latency.cost_models.chosen import ChosenByCrossValidation
from latency.cost_models.cost_model import CostModel
from latency.cost_models.gaussian_process import GaussianProcess
from latency.cost_models.power_law import PowerLaw
from latency.cost_models.ridge import Ridge
from latency.plug_ins import third_parties

_GROUP = "paceline.cost_models"

_SHIPPED: tuple[type[CostModel], ...] = (PowerLaw, Ridge, GaussianProcess, BoostedTrees, ChosenByCrossValidation)


def known_cost_models() -> Mapping[str, type[CostModel]]:
    """All cost models by name, those of third parties included."""
    return {**third_parties(_GROUP, CostModel, shipped_cost_models())[0], **shipped_cost_models()}


def broken_cost_models() -> Mapping[str, str]:
    """Cost models of third parties that cannot be used: what is wrong with them, by name."""
    return third_parties(_GROUP, CostModel, shipped_cost_models())[1]


def find_cost_model(name: str) -> type[CostModel]:
    """The cost model of that name.

    Raises:
        WrongUse: there is no such cost model.
    """
    known = known_cost_models()
    if name not in known:
        raise unknown_name("cost model", name, known)
    return known[name]


def shipped_cost_models() -> Mapping[str, type[CostModel]]:
    """Those that come with paceline, by name; no third party is looked for, which would import it."""
    return {model.name: model for model in _SHIPPED}
