"""How steady a machine is right now: one fixed piece of work, timed again and again.

Only the standard library is used here, as in ``sampling``.
"""

from __future__ import annotations

import hashlib
import math
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise
from typing import Any, final

from devices import WrongUse
from latency.sampling import Z95, median

_WINDOW_S = 0.1
"""As long as a burst of samples takes, so that the windows' medians scatter as the bursts' of a measurement do."""

_LEAST_WINDOWS = 6
"""Fewer say little about their scatter."""

_LEAST_S = 0.6
"""As long as the fewest windows take."""

_WARM_UP_S = 0.2
"""Until a sleeping processor has raised its clock; governors look every 10 to 100 ms."""

_PIECE_S = 0.001
"""What a piece should span: as long as a sample."""

_BLOCK = bytes(1 << 14)
"""What is hashed: it stays in the first-level cache, so the pieces see the processor and not the memory."""

_SLOW = 0.1
"""A piece that took this share longer than the median was disturbed: interrupts alone make it 1 % longer."""

_WIDE = 0.05
"""Above this, two blocks that differ by a tenth can no longer be told apart."""

_MOST_DISTURBED = 0.5
"""When more pieces than this share are disturbed, those that are not are unlikely to be undisturbed."""

_LEAST_DRIFT = 0.01
"""A smaller one is not worth waiting for."""

_Z99 = 2.575829
"""Two-sided 99 % quantile of the normal distribution."""


@final
@dataclass(frozen=True)
class Window:
    """Pieces of work that were timed within a tenth of a second.

    Attributes:
        pieces_s: their times in seconds, in the order they were taken.
        preempted: for each, whether the kernel gave the processor to somebody else meanwhile.

    Raises:
        WrongUse: there is no piece, or a time is not above 0.
    """

    pieces_s: tuple[float, ...]
    preempted: tuple[bool, ...]

    def __post_init__(self) -> None:
        if not self.pieces_s or not all(0 < piece < math.inf for piece in self.pieces_s):
            raise WrongUse(f"A window needs pieces that took more than 0 s; got {self.pieces_s[:3]}.")

    @cached_property
    def median_s(self) -> float:
        """What a burst of samples would have said: the median of what was not preempted, in seconds."""
        kept = [piece for piece, gone in zip(self.pieces_s, self.preempted, strict=True) if not gone]
        return median(kept or self.pieces_s)


@final
@dataclass(frozen=True)
class Steadiness:
    """Times of equal pieces of work, and what they say of any time taken on this machine now.

    Attributes:
        windows: the pieces, by the window they fell into.

    Raises:
        WrongUse: there are too few windows.
    """

    windows: tuple[Window, ...]

    def __post_init__(self) -> None:
        if len(self.windows) < _LEAST_WINDOWS:
            raise WrongUse(f"Steadiness needs at least {_LEAST_WINDOWS} windows; got {len(self.windows)}.")

    @cached_property
    def medians_s(self) -> tuple[float, ...]:
        """The median of each window, in seconds."""
        return tuple(window.median_s for window in self.windows)

    @property
    def piece_s(self) -> float:
        """What a piece usually takes, in seconds."""
        return median(self.medians_s)

    @cached_property
    def good_to(self) -> float:
        """Half-width of the interval that holds 95 % of the windows' medians, as a share of the time."""
        return Z95 * statistics.stdev(self.medians_s) / self.piece_s

    @cached_property
    def disturbed(self) -> float:
        """Share of pieces that were preempted, or took a tenth longer than usual."""
        limit_s = self.piece_s * (1 + _SLOW)
        pieces = [pair for w in self.windows for pair in zip(w.pieces_s, w.preempted, strict=True)]
        return sum(gone or piece_s > limit_s for piece_s, gone in pieces) / len(pieces)

    @cached_property
    def drift(self) -> float:
        """How much slower the last third of the windows was than the first, as a share of the first."""
        third = len(self.medians_s) // 3
        first_s, last_s = median(self.medians_s[:third]), median(self.medians_s[-third:])
        return last_s / first_s - 1

    @property
    def is_drifting(self) -> bool:
        """Whether the drift is more than chance, and enough to matter."""
        return abs(self.drift) >= _LEAST_DRIFT and abs(trend(self.medians_s)) > _Z99

    @property
    def is_steady(self) -> bool:
        """Whether a time taken now can be trusted."""
        return self.good_to <= _WIDE and self.disturbed <= _MOST_DISTURBED

    def verdict(self) -> str:
        """One sentence for the screen."""
        words = [f"a time taken now is good to about ±{self.good_to * 100:.2g} %"]
        if self.is_drifting:
            direction = "slower" if self.drift > 0 else "faster"
            words.append(f"while we looked, the machine became {abs(self.drift):.1%} {direction}")
        if self.disturbed > _MOST_DISTURBED:
            words.append(f"{self.disturbed:.0%} of the work was disturbed")
        return "; ".join(words)

    def to_json(self) -> dict[str, Any]:
        """What it says, as plain values."""
        return {
            "good_to": self.good_to,
            "disturbed": self.disturbed,
            "drift": self.drift,
            "is_drifting": self.is_drifting,
            "is_steady": self.is_steady,
            "piece_s": self.piece_s,
            "medians_s": list(self.medians_s),
        }


def trend(values: Sequence[float]) -> float:
    """Mann and Kendall's statistic of a trend: normally distributed with variance 1 where there is none.

    Mann, Nonparametric tests against trend, Econometrica 13 (1945): S is the number of pairs that rise less those that
    fall; its variance is n (n - 1) (2 n + 5) / 18, and one is taken off for continuity. Ties are neglected.
    """
    rising = sum((later > earlier) - (later < earlier) for earlier, later in combinations(values, 2))
    count = len(values)
    deviation = math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    return math.copysign(max(0, abs(rising) - 1), rising) / deviation


def spin(rounds: int) -> None:
    """The fixed work: it computes, within the first-level cache, and allocates nothing that grows."""
    for _ in range(rounds):
        hashlib.sha256(_BLOCK, usedforsecurity=False)


def preemptions() -> int:
    """How often the kernel took a processor away from this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


def probe_steadiness(
    seconds: float,
    work: Callable[[int], None] = spin,
    clock: Callable[[], float] = time.perf_counter,
    preempted: Callable[[], int] = preemptions,
) -> Steadiness:
    """Time one piece of work again and again.

    Args:
        seconds: for how long, warm-up not counted.
        work: does the work so many times; a piece is as many times as span a millisecond.
        clock: in seconds.
        preempted: a count that grows when the kernel takes the processor away.

    Returns:
        The times.

    Raises:
        WrongUse: ``seconds`` is too short for the least number of windows.
    """
    if not _LEAST_S <= seconds < math.inf:
        raise WrongUse(f"Seeing how steady a machine is takes at least {_LEAST_S:g} s; got {seconds:g} s.")
    rounds = _warm_up(work, clock)
    count = round(seconds / _WINDOW_S)
    return Steadiness(tuple(_window(work, rounds, clock, preempted) for _ in range(count)))


def _warm_up(work: Callable[[int], None], clock: Callable[[], float]) -> int:
    """Work until the clock has risen; returns how often the work is done in one piece."""
    started, ended, fastest_s = clock(), clock(), math.inf
    while ended - started < _WARM_UP_S:
        began = clock()
        work(1)
        ended = clock()
        fastest_s = min(fastest_s, ended - began)
    return max(1, round(_PIECE_S / fastest_s)) if fastest_s > 0 else 1


def _window(
    work: Callable[[int], None], rounds: int, clock: Callable[[], float], preempted: Callable[[], int]
) -> Window:
    pieces_s: list[float] = []
    counts = [preempted()]
    started = clock()
    while not pieces_s or clock() - started < _WINDOW_S:
        began = clock()
        work(rounds)
        pieces_s.append(clock() - began)
        counts.append(preempted())
    return Window(tuple(pieces_s), tuple(after > before for before, after in pairwise(counts)))
