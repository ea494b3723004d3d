"""Whether a number from somebody else's file is a time: the one place where dirty input is told from clean."""

from __future__ import annotations

import math
import re

from latency import Estimate
from lut.foreign.contract import ForeignRow

FAILED = -1.0
"""What many tools write for a time when profiling failed."""

_NUMBER = re.compile(
    r"\s*[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|\.?inf|infinity|\.?nan)\s*", re.ASCII | re.IGNORECASE
)
"""How JSON, YAML and spreadsheets spell a number. Python reads more, such as ``1_5``, which is a slip and no 15."""


class NoTimeError(ValueError):
    """A number that is no time; the message says why."""


def number(value: object) -> float | None:
    """A value as a number, NaN and infinities included; None when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return None
    try:
        # YAML writes a dot before what Python reads without one.
        return float(value.lower().replace(".nan", "nan").replace(".inf", "inf") if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None


def is_failure_mark(row: ForeignRow) -> bool:
    """Whether the time of ``row`` is the number that says that there is none."""
    return number(row.time) == FAILED


def estimate_of(row: ForeignRow, per_s: int) -> Estimate:
    """The time of a row in seconds, with what the file says of its spread; a deviation of NaN where it says nothing.

    Args:
        row: a row as it was read.
        per_s: how many units of its times are a second.

    Raises:
        NoTimeError: time or deviation are not what they should be.
    """
    time = _checked(row.time, "time")
    if time == 0:
        raise NoTimeError("its time is 0: nothing takes no time, so its clock was too coarse or it did not run")
    deviation = math.nan if row.deviation in (None, "") else _checked(row.deviation, "deviation")
    spread = math.sqrt(deviation) if row.is_variance else deviation
    return Estimate(time / per_s, spread / per_s, row.source, row.is_inside)


def _checked(value: object, what: str) -> float:
    if value in (None, ""):
        raise NoTimeError(f"it has no {what}")
    found = number(value)
    if found is None:
        raise NoTimeError(f"its {what} must be a number; got {value!r}")
    if not math.isfinite(found):
        raise NoTimeError(f"its {what} must be finite; got {value}")
    if found < 0:
        raise NoTimeError(f"its {what} must not be negative; got {value}")
    return found
