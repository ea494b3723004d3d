"""Colours and marks of the report, in one place so that a network looks the same in every figure.

Colours are those of Okabe and Ito, "Color Universal Design" (2008), which colour-blind readers can tell apart;
nothing is told by colour alone. Needs no plotting library.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from paceline.report.blocks import OTHER, SKIP
from search import NetworkResult

INK = "#1f2430"
MUTED = "#5b6370"
RULE = "#d5d9df"
PAPER = "#ffffff"

FAMILY_COLOURS = {
    "k3": "#56b4e9",
    "k5": "#e69f00",
    "k3 d2": "#009e73",
    "k5 d2": "#cc79a7",
    SKIP: "#5b6370",
    OTHER: "#a9afb8",
}

_OBJECTIVE_COLOURS = {"latency": "#d55e00", "macs": "#0072b2"}
_OTHER_OBJECTIVE = "#1f2430"
# Networks of one objective share its colour; the shape of a mark and the strength of a bar tell them apart.
_MARKERS = ("D", "s", "^", "v", "P", "X")


@dataclass(frozen=True)
class NetworkStyle:
    """How one network is drawn: a colour for its objective; a mark and a strength among those of that objective."""

    colour: str
    marker: str
    strength: float


def network_styles(networks: Sequence[NetworkResult]) -> tuple[NetworkStyle, ...]:
    """A style for each network, in their order."""
    seen: dict[str | None, int] = {}
    styles = []
    for network in networks:
        place = seen.get(network.objective, 0)
        seen[network.objective] = place + 1
        colour = _OBJECTIVE_COLOURS.get(network.objective or "", _OTHER_OBJECTIVE)
        styles.append(NetworkStyle(colour, _MARKERS[place % len(_MARKERS)], 0.6**place))
    return tuple(styles)


def family_colour(family: str) -> str:
    """The colour of a family of candidates; grey for one the report does not know."""
    return FAMILY_COLOURS.get(family, FAMILY_COLOURS[OTHER])
