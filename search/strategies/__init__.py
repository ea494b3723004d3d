"""Search strategies. They see numbers only: no table, no device, no file."""

from search.strategies.batches import BatchStrategy
from search.strategies.controller import ReinforceController
from search.strategies.evolution import RegularizedEvolution
from search.strategies.exact import best_additive
from search.strategies.feasible import AdditiveFeasible, FeasibleSet, ListedFeasible
from search.strategies.nsga2 import Nsga2
from search.strategies.optuna_sampler import OptunaStrategy
from search.strategies.policy import PolicyStrategy
from search.strategies.strategy import Strategy, Trial
from search.strategies.surrogate import SurrogateSearch
from search.strategies.uniform import UniformStrategy
from search.strategies.within import WithinLimit

__all__ = [
    "AdditiveFeasible",
    "BatchStrategy",
    "FeasibleSet",
    "ListedFeasible",
    "Nsga2",
    "OptunaStrategy",
    "PolicyStrategy",
    "RegularizedEvolution",
    "ReinforceController",
    "Strategy",
    "SurrogateSearch",
    "Trial",
    "UniformStrategy",
    "WithinLimit",
    "best_additive",
]
