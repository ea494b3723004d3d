"""Search strategies. They see numbers only: no table, no device, no file."""

from search.strategies.policy import PolicyStrategy
from search.strategies.strategy import Strategy, Trial
from search.strategies.within import WithinLimit

__all__ = ["PolicyStrategy", "Strategy", "Trial", "WithinLimit"]
