"""A small workload that is timed between samples: when it is slow, the machine is, and so is the sample."""

from bisect import insort
from typing import Callable, List, Optional

TOLERANCE = 0.1
"""How much slower than usual the sentinel may be beside a sample that counts.

docs/decisions/0008-sampling.md has the figures: on a quiet machine it repeats within 4 % in one process, whatever ran
before it, and within 6 % from process to process; beside a neighbour it is 20 to 30 % slower.
"""

_LOOK_S = 0.0003
"""Least time that one look spans, so that it is far above the resolution of any runtime's clock."""

_FIRST_LOOKS = 20
"""Looks from which the usual time is taken where nobody knows it yet."""

_USUAL_QUANTILE = 0.1
"""The usual time is this quantile of all looks: near the fastest, and not at the mercy of a single one."""


class Sentinel:
    """Looks at how fast the machine is.

    Args:
        run: runs the sentinel's workload that many times and returns the seconds they took together.
        usual_s: what it takes when nothing disturbs the machine, where earlier processes have seen it.
    """

    def __init__(self, run: Callable[[int], float], usual_s: Optional[float] = None) -> None:
        self._run = run
        self._known_s = usual_s
        self._looks_s: List[float] = []  # In ascending order: there are thousands, and the quantile is always wanted.
        once_s = min(run(1) for _ in range(_FIRST_LOOKS))
        self._calls = max(1, round(_LOOK_S / once_s)) if once_s > 0 else 1
        for _ in range(_FIRST_LOOKS):
            self.look()

    def look(self) -> float:
        """Time the sentinel now: the faster of two timings, in seconds per call.

        The first call is not timed: it finds in the caches what was run before it.
        """
        self._run(1)
        look_s = min(self._run(self._calls), self._run(self._calls)) / self._calls
        insort(self._looks_s, look_s)
        return look_s

    @property
    def usual_s(self) -> float:
        """What it takes when nothing disturbs the machine: the less of what was known and what was seen."""
        seen_s = self._looks_s[int(_USUAL_QUANTILE * len(self._looks_s))]
        return seen_s if self._known_s is None else min(self._known_s, seen_s)

    def is_disturbed(self, *looks_s: float) -> bool:
        """Whether these looks, on average, are slower than usual by more than the tolerance."""
        return sum(looks_s) / len(looks_s) > (1 + TOLERANCE) * self.usual_s
