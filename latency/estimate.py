"""A latency as it travels between rooms: never a bare float."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from devices import WrongUse
from latency.sampling import Z95

Source = Literal["measured", "calibrated", "predicted"]


@dataclass(frozen=True)
class Estimate:
    """What a latency is believed to be.

    Attributes:
        mean_s: best single number, in seconds.
        standard_deviation_s: how far off it may be, in seconds.
        source: measured on the device, calibrated against whole networks, or predicted by a model.

    Raises:
        WrongUse: a number is negative or not finite.
    """

    mean_s: float
    standard_deviation_s: float
    source: Source = "measured"

    def __post_init__(self) -> None:
        if not (0 <= self.mean_s < float("inf") and 0 <= self.standard_deviation_s < float("inf")):
            raise WrongUse(f"An estimate needs a finite mean and deviation of at least 0 s; got {self}.")

    @property
    def interval_s(self) -> tuple[float, float]:
        """The 95 % interval in seconds, from the deviation; its lower end is never below 0."""
        half_width = Z95 * self.standard_deviation_s
        return max(0.0, self.mean_s - half_width), self.mean_s + half_width


NOTHING = Estimate(0.0, 0.0)
"""The latency of an operator that leaves no trace in a network."""

_ORDER: tuple[Source, ...] = ("measured", "calibrated", "predicted")


def total(estimates: Iterable[Estimate]) -> Estimate:
    """The sum, taking errors to be independent; its source is the least certain of the parts."""
    known = tuple(estimates)
    deviation = sum(part.standard_deviation_s**2 for part in known) ** 0.5
    sources: list[Source] = [part.source for part in known]
    source = max(sources, key=_ORDER.index, default=_ORDER[0])
    return Estimate(sum(part.mean_s for part in known), deviation, source)
