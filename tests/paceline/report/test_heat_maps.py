from __future__ import annotations

import math
from dataclasses import replace

import pytest

from paceline.report.heat_maps import heat_maps, marked_networks, short_number
from search import Comparison


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (math.nan, "missing"),
        (0.004, "<.01"),
        (0.034, "0.03"),
        (0.42, "0.42"),
        (0.996, "1.0"),
        (1.24, "1.2"),
        (12.4, "12"),
        (1024.4, "1024"),
    ],
)
def test_a_cell_holds_at_most_four_signs(value: float, text: str) -> None:
    assert short_number(value) == text


def test_both_panels_show_every_unit_and_candidate(comparison: Comparison) -> None:
    drawing = heat_maps(comparison)
    assert drawing is not None
    assert all(drawing.svg.count(f">{name}</text>") == 2 for name in comparison.candidates[0])
    assert all(drawing.svg.count(f">{name}</text>") == 1 for name in comparison.unit_names)
    assert drawing.svg.count(">0</text>") == 2 * 15, "an identity skip in three units of each of five stages"
    assert drawing.width_px <= 1000


def test_a_gap_in_the_table_is_called_missing(gap: Comparison, small: Comparison) -> None:
    with_gap, without = heat_maps(gap), heat_maps(small)
    assert with_gap is not None
    assert without is not None
    assert with_gap.svg.count(">missing</text>") == 1
    assert ">missing</text>" not in without.svg


def test_picks_are_framed_in_the_colours_of_their_networks(small: Comparison) -> None:
    drawing, unmarked = heat_maps(small), heat_maps(replace(small, networks=()))
    assert drawing is not None
    assert unmarked is not None
    for colour in ("#d55e00", "#0072b2"):
        assert drawing.svg.count(f"stroke: {colour}") == 2 * len(small.unit_names)
        assert f"stroke: {colour}" not in unmarked.svg


def test_of_many_networks_the_pair_of_the_headline_is_marked(small: Comparison) -> None:
    by_latency, by_macs = small.networks
    large = replace(by_latency, name="large", limit=0.06), replace(by_macs, name="macs-large", limit=9e9)
    chosen = marked_networks(replace(small, networks=(*large, by_macs, by_latency)))
    assert [network.name for network in chosen] == ["latency-searched", "macs-searched"]
    assert marked_networks(replace(small, networks=large[:1])) == large[:1]


def test_units_may_offer_different_candidates(small: Comparison) -> None:
    shorter = [tuple(row[:-1] for row in rows[:1]) + rows[1:] for rows in (small.candidates, small.macs)]
    latency = (small.latency_s[0][:-1], *small.latency_s[1:])
    drawing = heat_maps(replace(small, candidates=shorter[0], macs=shorter[1], latency_s=latency))
    assert drawing is not None
    assert drawing.svg.count(">skip</text>") == 2


def test_no_units_no_figure(small: Comparison) -> None:
    assert heat_maps(replace(small, candidates=(), unit_names=(), macs=(), latency_s=(), networks=())) is None
