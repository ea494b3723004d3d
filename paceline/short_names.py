"""Names of workloads that say what tells them apart and leave out what they share, so that a table fits a screen."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from latency import Value, Workload

_DIGEST_CHARACTERS = 6


@dataclass(frozen=True)
class ShortNames:
    """Workloads and their names.

    Attributes:
        of: name of each workload; no two are equal.
        letters: what stands for an attribute in the names, for each attribute.
        shared: for each operator, what its names leave out because it is the same in all of them.
    """

    of: Mapping[Workload, str]
    letters: Mapping[str, str]
    shared: Mapping[str, str]

    def legend(self) -> str:
        """What the names stand for, in lines; empty when they say all."""
        letters = ", ".join(f"{letter} {name}" for name, letter in self.letters.items())
        shared = [f"every {operator}: {words}" for operator, words in self.shared.items()]
        return "\n".join(filter(None, [letters, *shared]))


def short_names(workloads: Iterable[Workload]) -> ShortNames:
    """Names for workloads that are shown together: ``inverted_residual 16x64x64 c24 e6 k3 s2``."""
    by_operator: dict[str, list[Workload]] = {}
    for workload in dict.fromkeys(workloads):
        by_operator.setdefault(workload.operator, []).append(workload)
    same = {operator: _same_in_all(members) for operator, members in by_operator.items()}
    told = {
        workload: {name: value for name, value in _scalars(workload).items() if name not in same[operator]}
        for operator, members in by_operator.items()
        for workload in members
    }
    letters = _letters(name for scalars in told.values() for name in scalars)
    return ShortNames(
        of=_told_apart({workload: _name(workload, scalars, letters) for workload, scalars in told.items()}),
        letters=letters,
        shared={
            operator: words for operator, members in by_operator.items() if (words := _words(same[operator], members))
        },
    )


def natural_order(text: str) -> list[str | int]:
    """A key that sorts ``8x16`` before ``16x8``, as people do."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", text)]


def _scalars(workload: Workload) -> dict[str, Value]:
    """What a name can tell: attributes of one value, and how the workload is run."""
    attributes = {name: value for name, value in sorted(workload.attributes.items()) if not isinstance(value, tuple)}
    return {**attributes, "batch": workload.batch, "precision": workload.precision}


def _same_in_all(workloads: Sequence[Workload]) -> dict[str, Value]:
    """The scalars that all have, with equal values. One workload shares its attributes with no other."""
    first, *others = [_scalars(workload) for workload in workloads]
    same = {name: value for name, value in first.items() if all(other.get(name) == value for other in others)}
    return same if others else {name: same[name] for name in ("batch", "precision")}


def _letters(names: Iterable[str]) -> dict[str, str]:
    """The shortest beginning of each name that no other name has."""
    different = sorted(set(names))
    beginnings = Counter(name[:end] for name in different for end in range(1, len(name) + 1))
    return {
        name: next((name[:end] for end in range(1, len(name)) if beginnings[name[:end]] == 1), name)
        for name in different
    }


def _name(workload: Workload, scalars: Mapping[str, Value], letters: Mapping[str, str]) -> str:
    shapes = "+".join("x".join(map(str, shape)) for shape in workload.inputs)
    words = (f"{letters[name]}{'=' * isinstance(value, str)}{value}" for name, value in scalars.items())
    return " ".join((workload.operator, shapes, *words))


def _words(same: Mapping[str, Value], members: Sequence[Workload]) -> str:
    return " ".join(f"{name}={value}" for name, value in same.items() if name in members[0].attributes)


def _told_apart(names: Mapping[Workload, str]) -> dict[Workload, str]:
    """The names, those that occur twice with the beginning of the digest: whole networks differ in their parts only."""
    counts = Counter(names.values())
    return {
        workload: name if counts[name] == 1 else f"{name} #{workload.digest[:_DIGEST_CHARACTERS]}"
        for workload, name in names.items()
    }
