"""What the comparison found, in sentences that claim no more than the numbers carry.

The reader has a device and a limit: who is faster, by how much, is the difference larger than the doubt about
it, does the network keep its limit, and what does that cost in accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass

from paceline.report.wording import NO_BREAK, decimals_ms, device_name, grouped, in_ms, limit_ms, percent, shortened
from search import Comparison, Interval, NetworkResult

WITHIN = "within"
OVER = "over"
UNCLEAR = "unclear"

# A headline with a whole stack trace in it is none; the list of problems has the full reason.
_REASON_LENGTH = 80
_INTERVALS = f"95{NO_BREAK}% intervals"


@dataclass(frozen=True)
class Pair:
    """A latency-searched network and the MAC-searched one it is held against."""

    latency: NetworkResult
    macs: NetworkResult


def findings(comparison: Comparison) -> tuple[str, ...]:
    """One sentence for each pair of networks, the tightest limit first, and at least one sentence.

    Args:
        comparison: what was found.

    Returns:
        Sentences; the first is the headline and names the device.
    """
    decimals = decimals_ms(comparison)
    pairs = paired(comparison)
    if pairs:
        found = [_about_pair(pair, decimals, comparison.measure) for pair in pairs]
    elif comparison.networks:
        found = [_about_one(network, decimals, comparison.measure) for network in comparison.networks]
    else:
        return ("No network was searched, so there is nothing to compare.",)
    return (f"On {device_name(comparison)}, {found[0]}", *found[1:])


def paired(comparison: Comparison) -> tuple[Pair, ...]:
    """Each latency-searched network with its counterpart, the tightest limit first.

    Equally many of both are matched in the order of their limits. Otherwise each latency-searched network
    meets the MAC-searched one with the nearest predicted latency, as that is the one it would replace.
    """
    by_latency = _searched_on(comparison, "latency")
    by_macs = _searched_on(comparison, "macs")
    if not by_macs:
        return ()
    if len(by_latency) == len(by_macs):
        return tuple(Pair(*both) for both in zip(by_latency, by_macs, strict=True))
    return tuple(Pair(network, _nearest(network, by_macs)) for network in by_latency)


def verdict(interval: Interval, limit_s: float) -> str:
    """``within``, ``over``, or ``unclear`` where the limit lies inside the interval or the time is not known."""
    if interval.high_s <= limit_s:
        return WITHIN
    return OVER if interval.low_s > limit_s else UNCLEAR


def overlap(one: Interval, other: Interval) -> bool:
    """Whether two intervals share a time."""
    return one.low_s <= other.high_s and other.low_s <= one.high_s


def _searched_on(comparison: Comparison, objective: str) -> list[NetworkResult]:
    found = [network for network in comparison.networks if network.objective == objective]
    return sorted(found, key=lambda network: float("inf") if network.limit is None else network.limit)


def _nearest(network: NetworkResult, others: list[NetworkResult]) -> NetworkResult:
    return min(others, key=lambda other: abs(other.predicted.mean_s - network.predicted.mean_s))


def _about_pair(pair: Pair, decimals: int, measure: str) -> str:
    ours, theirs = pair.latency.measured, pair.macs.measured
    if ours is None or theirs is None:
        speed = _unmeasured(pair, decimals)
    elif overlap(ours, theirs):
        speed = _alike(pair, ours, theirs, decimals)
    else:
        speed = _apart(pair, ours, theirs, decimals)
    return "; ".join(filter(None, (speed, _limit_kept(pair, decimals), _accuracy(pair, measure)))) + "."


def _apart(pair: Pair, ours: Interval, theirs: Interval, decimals: int) -> str:
    saved_s = theirs.mean_s - ours.mean_s
    share = abs(saved_s) / theirs.mean_s
    return (
        f"{pair.latency.name} runs in {in_ms(ours.mean_s, decimals)}, {in_ms(abs(saved_s), decimals)} "
        f"({percent(share, 0 if share >= 0.1 else 1)}) {'faster' if saved_s > 0 else 'slower'} than {pair.macs.name} "
        f"({in_ms(theirs.mean_s, decimals)}), and their {_INTERVALS} do not overlap"
    )


def _alike(pair: Pair, ours: Interval, theirs: Interval, decimals: int) -> str:
    return (
        f"there is no clear difference in latency between {pair.latency.name} ({in_ms(ours.mean_s, decimals)}) and "
        f"{pair.macs.name} ({in_ms(theirs.mean_s, decimals)}), as their {_INTERVALS} overlap"
    )


def _unmeasured(pair: Pair, decimals: int) -> str:
    both = (pair.latency, pair.macs)
    absent = " and ".join(_why_unmeasured(network) for network in both if network.measured is None)
    predicted = " and ".join(f"{in_ms(network.predicted.mean_s, decimals)} for {network.name}" for network in both)
    measured = [
        f"; {network.name} runs in {in_ms(network.measured.mean_s, decimals)}"
        for network in both
        if network.measured is not None
    ]
    return f"{absent}, so which is faster is not known{''.join(measured)}; the table predicts {predicted}"


def _why_unmeasured(network: NetworkResult) -> str:
    if network.failure is None:
        return f"{network.name} was not measured"
    return f"{network.name} could not be measured ({shortened(network.failure, _REASON_LENGTH)})"


def _limit_kept(pair: Pair, decimals: int) -> str:
    """Whether the measured networks keep the latency limit, which the MAC-searched one was never told of."""
    said = [_own_limit(pair.latency, decimals)]
    limit_s, theirs = pair.latency.limit, pair.macs.measured
    if said[0] and limit_s is not None and theirs is not None:
        would = {WITHIN: "would keep it", OVER: "would miss it", UNCLEAR: "is too close to it to call"}
        said.append(f"{pair.macs.name} {would[verdict(theirs, limit_s)]}")
    return " and ".join(filter(None, said))


def _own_limit(network: NetworkResult, decimals: int) -> str:
    if network.limit is None or network.objective != "latency" or network.measured is None:
        return ""
    limit = limit_ms(network.limit)
    state = verdict(network.measured, network.limit)
    if state == OVER:
        return (
            f"{network.name} misses its limit of {limit} by {in_ms(network.measured.mean_s - network.limit, decimals)}"
        )
    return f"{network.name} {'keeps' if state == WITHIN else 'is too close to call at'} its limit of {limit}"


def _accuracy(pair: Pair, measure: str) -> str:
    ours, theirs = pair.latency.miou, pair.macs.miou
    if ours is None and theirs is None:
        return f"{measure} is not known of either"
    if ours is None or theirs is None:
        return (
            f"{measure} cannot be compared, as it is not known of {(pair.latency if ours is None else pair.macs).name}"
        )
    # The points that the reader would get from the two figures as printed.
    points = round(round(ours * 100, 1) - round(theirs * 100, 1), 1)
    doubt = "no interval known"
    if points == 0:
        return f"both score {percent(ours)} {measure} ({doubt})"
    more = f"{grouped(abs(points), 1)} points {'more' if points > 0 else 'less'} {measure}"
    return f"{pair.latency.name} scores {more} ({percent(ours)} against {percent(theirs)}, {doubt})"


def _about_one(network: NetworkResult, decimals: int, measure: str) -> str:
    if network.measured is None:
        speed = f"{_why_unmeasured(network)}; the table predicts {in_ms(network.predicted.mean_s, decimals)}"
    else:
        speed = f"{network.name} runs in {in_ms(network.measured.mean_s, decimals)}"
    accuracy = f"its {measure} is not known" if network.miou is None else f"it scores {percent(network.miou)} {measure}"
    alone = "there is no network searched on the other cost to hold it against"
    return "; ".join(filter(None, (speed, _own_limit(network, decimals), accuracy, alone))) + "."
