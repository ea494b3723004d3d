"""Search strategies. They see numbers only: no table, no device, no file."""

from search.strategies.evolution import RegularizedEvolution
from search.strategies.feasible import AdditiveFeasible, FeasibleSet, ListedFeasible
from search.strategies.nsga2 import Nsga2
from search.strategies.policy import PolicyStrategy
from search.strategies.strategy import Strategy, Trial
from search.strategies.uniform import UniformStrategy
from search.strategies.within import WithinLimit

__all__ = [
    "AdditiveFeasible",
    "FeasibleSet",
    "ListedFeasible",
    "Nsga2",
    "PolicyStrategy",
    "RegularizedEvolution",
    "Strategy",
    "Trial",
    "UniformStrategy",
    "WithinLimit",
]
