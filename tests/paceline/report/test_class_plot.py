from __future__ import annotations

from dataclasses import replace

from paceline.report.class_plot import class_plot
from search import Comparison


def test_every_class_and_score_is_there(small: Comparison) -> None:
    drawing = class_plot(small)
    assert drawing is not None
    for text in ("road", "pole", "88.0", "87.2", "38.0", "37.2", "latency-searched", "macs-searched"):
        assert f">{text}</text>" in drawing.svg


def test_a_class_one_network_lacks_is_not_a_zero(small: Comparison) -> None:
    ours, theirs = small.networks
    drawing = class_plot(replace(small, networks=(ours, replace(theirs, class_iou={"road": 0.8, "sky": 0.9}))))
    assert drawing is not None
    assert drawing.svg.count(">not scored</text>") == 2


def test_no_scores_no_figure(small: Comparison) -> None:
    networks = tuple(replace(network, class_iou=None) for network in small.networks)
    assert class_plot(replace(small, networks=networks)) is None
