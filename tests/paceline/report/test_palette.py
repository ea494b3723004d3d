from __future__ import annotations

from dataclasses import replace

from paceline.report.palette import family_colour, network_styles
from search import Comparison


def test_the_objective_gives_the_colour_and_the_mark_tells_networks_of_one_objective_apart(small: Comparison) -> None:
    by_latency, by_macs = small.networks
    first, other, second = network_styles((by_latency, by_macs, replace(by_latency, name="large")))
    assert first.colour == second.colour != other.colour
    assert first.marker != second.marker
    assert first.strength > second.strength


def test_a_style_does_not_depend_on_networks_of_another_objective(small: Comparison) -> None:
    by_latency, by_macs = small.networks
    assert network_styles((by_latency, by_macs))[1] == network_styles((by_macs,))[0]


def test_families_differ_in_colour_and_an_unknown_one_is_grey() -> None:
    assert len({family_colour(name) for name in ("k3", "k5", "k3 d2", "skip", "other")}) == 5
    assert family_colour("k11") == family_colour("other")
