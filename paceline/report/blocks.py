"""What the name of a candidate says about it, and which units form a stage."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

_NAME = re.compile(r"k(?P<kernel>\d+)e(?P<expansion>\d+)g(?P<groups>\d+)(?:d(?P<dilation>\d+))?")
# "2.1", "s2u1", "stage2/block1": all but the last number is the stage.
_STAGE = re.compile(r"(?P<stage>.*\d)\D+\d+")

SKIP = "skip"
OTHER = "other"


@dataclass(frozen=True)
class Block:
    """An inverted bottleneck as its name tells it: ``k5e6g1``, ``k3e3g1d2``."""

    kernel: int
    expansion: int
    groups: int
    dilation: int

    @property
    def family(self) -> str:
        """Kernel and dilation: what most decides how the depthwise convolution runs."""
        return f"k{self.kernel}" + (f" d{self.dilation}" if self.dilation > 1 else "")


@dataclass(frozen=True)
class Stage:
    """Units ``first`` to ``last``, both included, that share a resolution."""

    name: str
    first: int
    last: int


def read_block(name: str) -> Block | None:
    """The block a candidate's name describes, or None for a skip or a name of another space."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    fields = match.groupdict(default="1")
    return Block(int(fields["kernel"]), int(fields["expansion"]), int(fields["groups"]), int(fields["dilation"]))


def family(name: str) -> str:
    """The family a candidate is coloured by: kernel and dilation, ``skip`` or ``other``."""
    block = read_block(name)
    if block is not None:
        return block.family
    return SKIP if name.lower().startswith(SKIP) else OTHER


def stages(unit_names: Sequence[str]) -> tuple[Stage, ...]:
    """The stages the names of the units tell of; empty when they tell of none."""
    matches = [_STAGE.fullmatch(name) for name in unit_names]
    prefixes = [match["stage"] for match in matches if match is not None]
    if len(prefixes) != len(unit_names) or len(set(prefixes)) < 2:
        return ()
    found, first = [], 0
    for prefix, members in groupby(prefixes):
        length = len(list(members))
        found.append(Stage(prefix, first, first + length - 1))
        first += length
    return tuple(found)


def short_unit(name: str) -> str:
    """The last word of a unit's name, for places where the stage is named beside it: ``2.1`` of ``stage 2.1``."""
    return name.rpartition(" ")[2]


def columns(candidates: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Every candidate's name once, in the order in which units first offer it."""
    return tuple(dict.fromkeys(name for unit in candidates for name in unit))
