"""A score of one's own, at no cost: a stand-in for whatever you measure."""

from __future__ import annotations

from latency import operator_of
from search import Architecture, Space


def score(space: Space, architecture: Architecture) -> float:
    """Parameters of the network, in thousands."""
    network = space.network(architecture)
    return operator_of(network).parameters(network) / 1e3
