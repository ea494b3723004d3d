"""The rows of the table, the list of problems and the record of what was measured, as plain text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paceline.report import finding, wording
from paceline.report.palette import network_styles
from search import Comparison, Interval, NetworkResult

_DASH = "\u2013"
_VERDICTS = {finding.WITHIN: "yes", finding.OVER: "no", finding.UNCLEAR: "unclear"}


@dataclass(frozen=True)
class Check:
    """Whether a limit is kept: ``basis`` (predicted, measured), a ``state`` for the eye and its text."""

    basis: str
    state: str
    text: str


@dataclass(frozen=True)
class Row:
    """One network of the table; every field is ready to print."""

    name: str
    colour: str
    objective: str
    limit: str
    macs: str
    parameters: str
    predicted: str
    predicted_range: str
    measured: str
    measured_range: str
    error: str
    miou: str
    training: str
    checks: tuple[Check, ...]


def table_rows(comparison: Comparison) -> tuple[Row, ...]:
    """A row for each searched network, in the comparison's order, all times with the same decimals."""
    decimals = wording.decimals_ms(comparison)
    styles = network_styles(comparison.networks)
    return tuple(
        _row(network, style.colour, decimals) for network, style in zip(comparison.networks, styles, strict=True)
    )


def prediction_error(network: NetworkResult) -> float:
    """How far the prediction is from the measured time, as a share of it; NaN when not measured."""
    if network.measured is None or network.measured.mean_s == 0:
        return math.nan
    return network.predicted.mean_s / network.measured.mean_s - 1


def problems(comparison: Comparison) -> tuple[str, ...]:
    """Reasons not to trust a number: those the comparison brings, and those its numbers show."""
    # What the whole page says at its top need not be said again.
    found = [problem for problem in comparison.problems if problem != wording.estimated_note(comparison)]
    failed = [network for network in comparison.networks if network.failure is not None]
    found += [f"{network.name} could not be measured: {network.failure}" for network in failed]
    absent = sum(math.isnan(value) for row in comparison.latency_s for value in row)
    if absent:
        total = sum(len(row) for row in comparison.latency_s)
        found.append(f"{absent} of {total} candidates {'has' if absent == 1 else 'have'} no latency in the table.")
    steps = {network.trained_steps for network in comparison.networks if network.miou is not None}
    if len(steps) > 1:
        found.append(
            f"The networks were trained for different numbers of steps ({_listed(steps)}): "
            f"{comparison.measure} is not like for like."
        )
    return tuple(dict.fromkeys(found))


def facts(fields: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Names and values of an identity, with underscores as spaces."""
    return tuple((str(name).replace("_", " "), wording.plain(value)) for name, value in fields.items())


def device_facts(comparison: Comparison) -> tuple[tuple[str, str], ...]:
    """The identity of the device. Of one that was not there, what nobody could read is left out."""
    if not wording.estimated_note(comparison):
        return facts(comparison.device)
    return facts({name: value for name, value in comparison.device.items() if value not in (None, "unknown")})


def setting(comparison: Comparison) -> tuple[tuple[str, str], ...]:
    """What was searched, on which input, on which data and when."""
    height, width = comparison.input_size
    known = sum(not math.isnan(value) for row in comparison.latency_s for value in row)
    total = sum(len(row) for row in comparison.latency_s)
    fixed_macs = wording.with_unit(wording.millions(comparison.fixed_macs), "M MACs")
    fixed = f"{wording.in_ms(comparison.fixed_latency_s)}, {fixed_macs}"
    return (
        ("space", f"{comparison.space}, {len(comparison.candidates)} units"),
        ("input", f"{height} \u00d7 {width} pixels (height \u00d7 width)"),
        ("table", f"{known} of {total} candidates have a latency"),
        ("shared by all", f"{fixed} (stem, head, decoder)"),
        ("whole networks", _whole_networks(comparison)),
        ("data", comparison.data),
        ("written", comparison.created_at),
    )


def _whole_networks(comparison: Comparison) -> str:
    measured = [network.measured is not None for network in comparison.networks]
    drawn = [network.measured is not None for network in comparison.reference_networks]
    return f"{sum(measured)} of {len(measured)} searched and {sum(drawn)} of {len(drawn)} reference networks measured"


def _row(network: NetworkResult, colour: str, decimals: int) -> Row:
    measured = network.measured
    error = prediction_error(network)
    return Row(
        name=network.name,
        colour=colour,
        objective={"macs": "MACs", None: "none"}.get(network.objective, str(network.objective)),
        limit=wording.limit_text(network),
        macs=wording.millions(network.macs),
        parameters=wording.millions(network.parameters),
        predicted=wording.milliseconds(network.predicted.mean_s, decimals),
        predicted_range=wording.interval_range(network.predicted, decimals),
        measured=_absence(network) if measured is None else wording.milliseconds(measured.mean_s, decimals),
        measured_range="" if measured is None else wording.interval_range(measured, decimals),
        error=_DASH if math.isnan(error) else wording.signed_percent(error),
        miou=_DASH if network.miou is None else wording.grouped(network.miou * 100, 1),
        training=f"{network.trained_steps:,} steps" if network.trained_steps else "not trained",
        checks=_checks(network, decimals),
    )


def _absence(network: NetworkResult) -> str:
    return "not measured" if network.failure is None else "failed"


def _checks(network: NetworkResult, decimals: int) -> tuple[Check, ...]:
    if network.limit is None:
        return ()
    if network.objective != "latency":
        kept = network.macs <= network.limit
        return (Check("counted", finding.WITHIN if kept else finding.OVER, "yes" if kept else "no"),)
    predicted = _check("predicted", network.predicted, network.limit, decimals)
    if network.measured is None:
        return (predicted, Check("measured", finding.UNCLEAR, "not known"))
    return (predicted, _check("measured", network.measured, network.limit, decimals))


def _check(basis: str, interval: Interval, limit_s: float, decimals: int) -> Check:
    state = finding.verdict(interval, limit_s)
    over = f", {wording.in_ms(interval.mean_s - limit_s, decimals)} over" if state == finding.OVER else ""
    return Check(basis, state, _VERDICTS[state] + over)


def _listed(numbers: set[int]) -> str:
    return " and ".join(f"{number:,}" for number in sorted(numbers))
