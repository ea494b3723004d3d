"""What a fleet did and whether its devices agree, in words and for programs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from latency import UNFINISHED
from lut import DeviceAgreement, FleetAgreement, FleetSummary, HostSummary

COLUMNS = ("device", "measured", "failed", "factor", "95 % interval", "verdict")
LOOKS = {"agrees": "green", "reference": "green", "disagrees": "bold red", "differs": "bold red", "unclear": "yellow"}


def fleet_json(summary: FleetSummary) -> dict[str, Any]:
    """What the devices did, for programs."""
    compared = {} if summary.agreement is None else {device.host: device for device in summary.agreement.devices}
    return {
        "devices": [_host_json(host, compared.get(host.host), summary) for host in summary.hosts],
        "reference": None if summary.agreement is None else summary.agreement.reference,
        "tolerance": None if summary.agreement is None else summary.agreement.tolerance,
        "common": summary.common,
        "open": [workload.describe() for workload in summary.open],
        "time_limit_came_first": summary.is_late,
        "kept": None if summary.shards is None else str(summary.shards),
        "is_trusted": summary.is_trusted,
    }


def _host_json(host: HostSummary, compared: DeviceAgreement | None, summary: FleetSummary) -> dict[str, Any]:
    did = {
        "device": host.host,
        "measured": host.measured,
        "failed": host.failed,
        "lost": host.lost or None,
        "rejected": None if host.rejected is None else str(host.rejected),
        "verdict": verdict(summary.agreement, host.host),
    }
    if compared is None:
        return did
    return {
        **did,
        "factor": compared.ratio,
        "interval_95": [limit if math.isfinite(limit) else None for limit in compared.interval],
        "compared": compared.workloads,
        "settings": {name: list(values) for name, values in compared.settings.items()},
        "deviations": [{"workload": d.workload.describe(), "factor": d.ratio} for d in compared.deviations],
        "broken": [workload.describe() for workload in compared.broken],
    }


def device_rows(summary: FleetSummary) -> list[tuple[str, ...]]:
    """What each device did and how it compares, a row of ``COLUMNS`` each."""
    agreement = summary.agreement
    compared = {} if agreement is None else {device.host: device for device in agreement.devices}
    rows = list[tuple[str, ...]]()
    for host in summary.hosts:
        device = compared.get(host.host)
        known = ("", "") if device is None or not device.workloads else (f"{device.ratio:.3f}", _interval(device))
        rows.append((host.host, str(host.measured), str(host.failed), *known, verdict(agreement, host.host) or ""))
    return rows


def verdict(agreement: FleetAgreement | None, host: str) -> str | None:
    """One word on a device: ``differs`` where nobody knows which is right; None of one that was not compared."""
    if agreement is None or host not in {device.host for device in agreement.devices}:
        return None
    if not agreement.has_majority:
        return "differs"
    if host == agreement.reference:
        return "reference"
    return next(device.verdict for device in agreement.devices if device.host == host)


def fleet_in_words(summary: FleetSummary) -> Iterator[str]:
    """What came in the way of the devices, what speaks against them, and what to do, a line each."""
    for host in summary.hosts:
        if host.lost:
            yield f"lost {host.host}: {host.lost}"
    if summary.agreement is not None:
        yield from _disagreement(summary, summary.agreement)
        for device in summary.agreement.devices:
            yield from _peculiarities(device, summary.agreement.reference)
    yield from _open(summary)


def _disagreement(summary: FleetSummary, agreement: FleetAgreement) -> Iterator[str]:
    if not agreement.has_majority:
        one = agreement.reference
        yield (
            f"The devices differ by more than {agreement.tolerance:.0%}, and nobody can tell which are right: one more "
            f"would tell. What they measured is not in the table, but in {summary.shards}. If you know which is right, "
            f"the same command with that one alone, such as --hosts {one}, goes on with what it measured. If you mend "
            "one, remove its file there, and the same command measures it anew."
        )
        return
    rejected = {host.host: host.rejected for host in summary.hosts}
    rest = ",".join(host.host for host in summary.hosts if host.host not in agreement.disagreeing)
    for device in agreement.devices:
        if device.verdict == "disagrees":
            kept = f", but in {rejected[device.host]}" if rejected[device.host] is not None else ""
            yield (
                f"{device.host} is {_slower(device)} than {agreement.reference}, and {agreement.tolerance:.0%} is "
                f"tolerated. What it measured is not in the table{kept}. {_way_out(summary, rest)}"
            )


def _way_out(summary: FleetSummary, rest: str) -> str:
    """What to do about a device that is off."""
    if not summary.open:
        return "The others did its share, and the table is complete; another --out would compare it once more."
    mend = "See to its power mode, its clocks and its cooling; then the same command measures it anew."
    return f"{mend} Or leave it out: --hosts {rest}"


def _peculiarities(device: DeviceAgreement, reference: str) -> Iterator[str]:
    """What sets a device apart that may be why it is faster or slower, and what it alone does in another way."""
    for name, (there, here) in device.settings.items():
        yield f"{device.host}: {name.replace('_', ' ')} is {here}; on {reference} it is {there}"
    for deviation in device.deviations:
        words = deviation.workload.describe()
        yield f"{device.host}: {deviation.ratio:.2f} times what its other blocks suggest: {words}"
    for workload in device.broken:
        yield f"{device.host}: failed there, and not everywhere: {workload.describe()}"


def _open(summary: FleetSummary) -> Iterator[str]:
    if not summary.open:
        return
    yield f"{len(summary.open)} blocks are not in the table yet."
    if summary.is_late and not summary.fill.ended.get(UNFINISHED):
        yield "The time limit came first; the same command goes on."
    unclear = () if summary.agreement is None or summary.is_late else summary.agreement.unclear
    if unclear:
        names = " and ".join(unclear)
        yield (
            f"Whether {names} can stand beside {_reference(summary)} cannot be told: times scatter too much for so few "
            f"rounds. What was measured there is kept in {summary.shards}; the same command with more --rounds, or a "
            "narrower --interval, goes on with it."
        )


def _reference(summary: FleetSummary) -> str:
    assert summary.agreement is not None
    return summary.agreement.reference


def _slower(device: DeviceAgreement) -> str:
    low, high = sorted(abs(limit - 1) for limit in device.interval)
    word = "slower" if device.ratio > 1 else "faster"
    return f"{abs(device.ratio - 1):.1%} {word} (95 % interval {low:.1%} to {high:.1%})"


def _interval(device: DeviceAgreement) -> str:
    low, high = device.interval
    return "" if device.interval == (1.0, 1.0) else f"{low:.3f} to {high:.3f}"
