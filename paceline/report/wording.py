"""Numbers as text: one place decides units, digits and signs, so the table, the sentence and the plots agree."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from latency import ROOFLINE
from search import Comparison, Interval, NetworkResult

MISSING = "missing"
NO_BREAK = "\u00a0"
MINUS = "\u2212"

# Identities differ by device family; the first of these that is there names the device in a sentence.
_NAMING_KEYS = ("name", "model", "target", "gpu", "cpu")


def grouped(value: float, decimals: int = 0) -> str:
    """A number with thousands separated and a real minus sign; ``missing`` for NaN."""
    if math.isnan(value):
        return MISSING
    return f"{value:,.{decimals}f}".replace("-", MINUS)


def with_unit(text: str, unit: str) -> str:
    """A number and its unit, kept on one line."""
    return text if text == MISSING else f"{text}{NO_BREAK}{unit}"


def decimals_for(value: float) -> int:
    """Decimals that give about three significant digits, and never more than four decimals."""
    if not math.isfinite(value) or value == 0:
        return 0
    rounded = float(f"{value:.2e}")  # 9.996 is 10.0 and not 10.00
    return min(4, max(0, 2 - math.floor(math.log10(abs(rounded)))))


def decimals_ms(comparison: Comparison) -> int:
    """Decimals of every whole-network latency in the report, in milliseconds.

    Numbers in a column align only with equal decimals. The median half-width decides: its first two
    significant digits are shown, as more would be noise, and not fewer than three digits of the means.
    """
    known = [interval for interval in _intervals(comparison) if math.isfinite(interval.mean_s)]
    if not known:
        return 1
    widths = sorted((interval.high_s - interval.low_s) * 500 for interval in known)
    means = sorted(interval.mean_s * 1000 for interval in known)
    width, mean = widths[len(widths) // 2], means[len(means) // 2]
    from_width = 1 - math.floor(math.log10(width)) if width > 0 else 0
    return min(3, max(decimals_for(mean), min(from_width, decimals_for(mean) + 1)))


def _intervals(comparison: Comparison) -> Iterator[Interval]:
    for network in comparison.networks or comparison.reference_networks:
        yield network.predicted
        if network.measured is not None:
            yield network.measured


def milliseconds(seconds: float, decimals: int | None = None) -> str:
    """A time in milliseconds without its unit; three significant digits unless told."""
    value = seconds * 1000
    return grouped(value, decimals_for(value) if decimals is None else decimals)


def in_ms(seconds: float, decimals: int | None = None) -> str:
    """A time in milliseconds with its unit."""
    return with_unit(milliseconds(seconds, decimals), "ms")


def interval_range(interval: Interval, decimals: int) -> str:
    """Both ends of an interval in milliseconds, without the unit."""
    return f"{milliseconds(interval.low_s, decimals)}\u2013{milliseconds(interval.high_s, decimals)}"


def millions(count: float) -> str:
    """A count in millions, without the unit; three significant digits below a thousand million."""
    value = count / 1e6
    return grouped(value, decimals_for(value))


def percent(share: float, decimals: int = 1) -> str:
    """A share of one, in per cent with the sign."""
    return with_unit(grouped(share * 100, decimals), "%")


def signed_percent(share: float) -> str:
    """A relative difference in per cent with its sign, without the unit."""
    points = round(share * 100, 1)
    return f"+{grouped(points, 1)}" if points > 0 else grouped(points, 1) if points < 0 else grouped(abs(points), 1)


def limit_text(network: NetworkResult) -> str:
    """The limit a network was searched under, with its unit; a dash for a network without one."""
    if network.limit is None:
        return "\u2013"
    if network.objective == "latency":
        return limit_ms(network.limit)
    if network.objective == "macs":
        return with_unit(millions(network.limit), "M")
    return f"{network.limit:g}"


def limit_ms(limit_s: float) -> str:
    """A latency limit as somebody wrote it in a specification: 30 ms, not 30.0 ms; four digits of a computed one."""
    return with_unit(f"{limit_s * 1000:,.4g}", "ms")


def device_name(comparison: Comparison) -> str:
    """What to call the device in a sentence."""
    for key in _NAMING_KEYS:
        value = comparison.device.get(key)
        if isinstance(value, str) and value:
            return value
    return "the device"


def estimated_note(comparison: Comparison) -> str:
    """What must be said where times come from peak figures of a device; empty where they were measured."""
    if comparison.runtime.get("name") != ROOFLINE:
        return ""
    return f"Estimated from peak figures of {device_name(comparison)}; nothing was measured."


def plain(value: Any) -> str:
    """Any value of an identity as text; what could not be read says so and is never 0 or empty."""
    if value is None or value == "":
        return "not readable"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {plain(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value) or "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def shortened(text: str, length: int) -> str:
    """At most ``length`` characters of a text, with an ellipsis where it was cut."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "\u2026"
