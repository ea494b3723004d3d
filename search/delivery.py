"""Promised against delivered: a limit, what a table predicted, and what the whole network takes on the device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from search.comparison import Interval
from search.cost import format_cost

Verdict = Literal["met", "met, but close", "not shown", "missed"]
"""How a measured network stands to its limit: all of its interval is within; its mean is, and a part of the interval
is not; the other way round; none of it is."""


@dataclass(frozen=True)
class Delivery:
    """What was promised of a network's latency, and what came of it.

    Attributes:
        device: where, and with what runtime, in words; empty where nothing is known of any device.
        limit_s: the most it may take, in seconds; None where nobody said.
        predicted: from a table; an interval of NaN where nobody knows how sure it is. None without a table.
        source: how the prediction came about: ``measured`` blocks, ``calibrated`` ones, and so on.
        measured: the whole network on the device; None where it was not measured.
        failure: why measuring failed; None where it did not.
        doubts: reasons not to trust the times, in words.
        environment: device, runtime, versions and options behind the times, as tables have them.
    """

    device: str = ""
    limit_s: float | None = None
    predicted: Interval | None = None
    source: str = ""
    measured: Interval | None = None
    failure: str | None = None
    doubts: tuple[str, ...] = ()
    environment: Mapping[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict | None:
        """How the measured network stands to the limit; None where one of them is missing."""
        if self.limit_s is None or self.measured is None:
            return None
        if self.measured.high_s <= self.limit_s:
            return "met"
        if self.measured.low_s > self.limit_s:
            return "missed"
        return "met, but close" if self.measured.mean_s <= self.limit_s else "not shown"

    @property
    def is_broken(self) -> bool:
        """Whether the limit is not kept: the measured mean is above it, or the network did not run at all."""
        return self.failure is not None or self.verdict in ("missed", "not shown")

    def sentences(self) -> tuple[str, ...]:
        """What there is to say, a sentence each, the answer first."""
        return tuple(self._said())

    def _said(self) -> Iterator[str]:
        if self.failure is not None:
            yield f"The network could not be measured: {self.failure}"
            yield "Mend the cause, and measure it again with `--measure --again`."
        elif self.measured is None:
            yield from self._about_promise()
        elif self.limit_s is None:
            yield f"It takes {in_words(self.measured)}, and was promised to no limit."
        else:
            yield self._about_limit(self.limit_s, self.measured)
        if self.predicted is not None and self.measured is not None:
            yield self._about_prediction(self.predicted, self.measured)
        if self.is_broken and self.failure is None:
            advice = self._advice()
            yield advice if self.verdict == "missed" else f"If it stays above: {advice[0].lower()}{advice[1:]}"

    def _about_promise(self) -> Iterator[str]:
        yield "The network was not measured whole: `paceline export --measure` does it."
        if self.predicted is None:
            return
        if self.limit_s is None:
            yield f"Predicted are {in_words(self.predicted)}, and it was promised to no limit."
            return
        stands = "within" if self.predicted.mean_s <= self.limit_s else "above"
        yield f"Predicted are {in_words(self.predicted)}, {stands} the limit of {_ms(self.limit_s)}."

    def _about_limit(self, limit_s: float, measured: Interval) -> str:
        margin = 1 - measured.mean_s / limit_s
        stands = f"{abs(margin):.1%} {'below' if margin >= 0 else 'above'} it"
        said = {
            "met": f"The limit of {_ms(limit_s)} is met: the network takes {in_words(measured)}, {stands}.",
            "met, but close": f"The limit of {_ms(limit_s)} is met by the mean, and not by all of the interval: the "
            f"network takes {in_words(measured)}, {stands}. More --rounds narrow the interval.",
            "not shown": f"The limit of {_ms(limit_s)} is not shown to be met: the network takes {in_words(measured)}, "
            f"{stands}. More --rounds narrow the interval.",
            "missed": f"The limit of {_ms(limit_s)} is missed: the network takes {in_words(measured)}, {stands}.",
        }
        assert self.verdict is not None, "there are a limit and a measurement"
        return said[self.verdict]

    def _about_prediction(self, predicted: Interval, measured: Interval) -> str:
        apart = measured.mean_s / predicted.mean_s - 1 if predicted.mean_s else 0.0
        said = f"{_ms(predicted.mean_s)} were predicted; measured is {abs(apart):.1%} {'more' if apart > 0 else 'less'}"
        if predicted.low_s != predicted.low_s:
            return f"{said}, and nobody said how sure the prediction was."
        overlap = measured.low_s <= predicted.high_s and predicted.low_s <= measured.high_s
        where = "The intervals meet" if overlap else "The intervals do not meet"
        return f"{said}. {where}: {_range(predicted)} predicted, {_range(measured)} measured."

    def _advice(self) -> str:
        assert self.limit_s is not None, "there is a limit that is not kept"
        assert self.measured is not None, "and a measurement that shows it"
        if self.predicted is None or self.predicted.mean_s >= self.measured.mean_s:
            return f"Search again with a limit below {_ms(self.limit_s)}, or choose a smaller network."
        lower_s = self.limit_s * self.predicted.mean_s / self.measured.mean_s
        again = f"search again with `--limit {_ms(lower_s).replace(' ', '')}`, which allows for this difference."
        if self.source == "calibrated":
            return f"S{again[1:]}"
        return f"Calibrate the table with `paceline table calibrate` and search again; or {again}"


def in_words(interval: Interval) -> str:
    """``12.3 ms (12.1 to 12.6 ms)``; without the interval where it is not known."""
    return _ms(interval.mean_s) if interval.low_s != interval.low_s else f"{_ms(interval.mean_s)} ({_range(interval)})"


def _range(interval: Interval) -> str:
    return f"{interval.low_s * 1e3:.4g} to {_ms(interval.high_s)}"


def _ms(seconds: float) -> str:
    return format_cost("latency", seconds)
