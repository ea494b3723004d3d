"""Proof of where ONNX Runtime put the nodes of a graph.

A provider that cannot be loaded, or has no kernel for a node, is replaced by the processor without an error: the
session is created, and the time is that of something else. So a session is asked, and refused unless every node is
where it was wanted. The session that is asked is the one that is timed, and recording costs nothing once it is loaded.
"""

from typing import Any, Dict, List, Mapping, Sequence

from agent.loop import ProfilingError

RECORD_PLACEMENT = "session.record_ep_graph_assignment_info"
"""Session setting without which ONNX Runtime refuses to tell."""

Placements = Mapping[str, Sequence[str]]
"""Nodes, by the provider that has them."""

_MOST_NAMED = 5
"""So many nodes are named in an error."""


def placements(session: Any) -> Placements:
    """Where the nodes of a session are, each as ``name (operator)``; the session must have been told to record it."""
    found: Dict[str, List[str]] = {}
    for part in session.get_provider_graph_assignment_info():
        found.setdefault(part.ep_name, []).extend(f"{node.name} ({node.op_type})" for node in part.get_nodes())
    return found


def refuse_elsewhere(registered: Sequence[str], placed: Placements, wanted: str) -> None:
    """Refuse a session of which any node is elsewhere than in the provider ``wanted``.

    Args:
        registered: the session's providers.
        placed: its nodes, see ``placements``.
        wanted: the provider that must have them all.

    Raises:
        ProfilingError: in stage ``load``; the provider is not there, a node is elsewhere, or nothing is known.
    """
    if wanted not in registered:
        raise ProfilingError(
            "load",
            f"{wanted} could not be loaded, and ONNX Runtime went on with {', '.join(registered)}: install the "
            "libraries that it names on standard error",
        )
    if not any(placed.values()):
        raise ProfilingError("load", f"every node must be in {wanted}; ONNX Runtime does not tell where they are")
    strays = [f"{node} in {provider}" for provider, nodes in placed.items() if provider != wanted for node in nodes]
    if strays:
        more = f" and {len(strays) - _MOST_NAMED} more" if len(strays) > _MOST_NAMED else ""
        raise ProfilingError("load", f"every node must be in {wanted}; got {', '.join(strays[:_MOST_NAMED])}{more}")
