from __future__ import annotations

from dataclasses import replace

from paceline.report.architecture_plot import architecture_plot
from search import Comparison


def test_every_pick_is_drawn_and_told(comparison: Comparison) -> None:
    drawing = architecture_plot(comparison)
    assert drawing is not None
    assert drawing.width_px <= 1000
    for network in comparison.networks:
        assert f">{network.name}</text>" in drawing.svg
        assert " ".join(network.architecture) in drawing.alternative
    skips = sum(network.architecture.count("skip") for network in comparison.networks)
    assert drawing.svg.count(">skip</text>") == skips + 1, "and one in the legend"


def test_stages_are_named_where_the_units_tell(comparison: Comparison) -> None:
    told, silent = (
        architecture_plot(replace(comparison, unit_names=names))
        for names in (comparison.unit_names, tuple(f"unit{index}" for index in range(20)))
    )
    assert told is not None
    assert silent is not None
    assert ">stage 5</text>" in told.svg
    assert ">5.4</text>" in told.svg
    assert ">stage" not in silent.svg


def test_taller_is_more_expansion(small: Comparison) -> None:
    def drawn(pick: str) -> str:
        network = replace(small.networks[0], architecture=(pick,) * 4)
        drawing = architecture_plot(replace(small, networks=(network,)))
        assert drawing is not None
        return drawing.svg

    assert drawn("k3e1g1").count(">e1</") == 4
    assert drawn("k3e1g1") != drawn("k3e6g1").replace("e6", "e1")
    assert "grouped 1\u00d71" in drawn("k3e1g2")
    assert "grouped 1\u00d71" not in drawn("k3e1g1")


def test_a_pick_without_a_latency_says_missing(small: Comparison) -> None:
    network = replace(small.networks[0], architecture=("unheard",) * 4)
    drawing = architecture_plot(replace(small, networks=(network,)))
    assert drawing is not None
    assert drawing.svg.count(">missing</text>") == 4


def test_no_network_no_figure(small: Comparison) -> None:
    assert architecture_plot(replace(small, networks=())) is None
