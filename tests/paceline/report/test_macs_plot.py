from __future__ import annotations

from dataclasses import replace

from paceline.report.macs_plot import macs_notes, macs_plot
from search import Comparison


def two_units(small: Comparison, macs: tuple[int, int], latency_s: tuple[float, float]) -> Comparison:
    return replace(
        small,
        candidates=(("k3e1g1",), ("k5e1g2",)),
        unit_names=("1.1", "stage 1.2"),
        macs=tuple((count,) for count in macs),
        latency_s=tuple((value,) for value in latency_s),
        networks=(),
    )


def test_families_are_in_the_legend(small: Comparison) -> None:
    drawing = macs_plot(small)
    assert drawing is not None
    for text in ("k3", "k5", "k3 d2", "k3, grouped", "skip", "latency, ms"):
        assert f">{text}</text>" in drawing.svg


def test_rank_correlations_are_printed(small: Comparison) -> None:
    said = macs_notes(small)[0]
    assert said == "Spearman rank correlation of MACs and latency: 0.93 over candidates, 0.71 over networks."
    assert "not computed" in macs_notes(replace(small, rank_correlation=None))[0]


def test_equal_macs_and_unequal_latency_are_pointed_out(small: Comparison) -> None:
    told = macs_notes(two_units(small, (100_000_000, 102_000_000), (0.004, 0.001)))[1]
    assert told == (
        "Widest gap at equal MACs: k5e1g2 in stage 1.2 and k3e1g1 in unit 1.1 both cost about 100\u00a0M MACs, "
        "and take 1.00\u00a0ms and 4.00\u00a0ms, 4.0 times as long."
    )


def test_unequal_macs_make_no_such_pair(small: Comparison) -> None:
    assert len(macs_notes(two_units(small, (100_000_000, 110_000_000), (0.004, 0.001)))) == 1


def test_what_costs_nothing_is_counted_and_not_drawn(small: Comparison) -> None:
    assert macs_notes(small)[-1].startswith("Not drawn: 2 candidates that cost nothing")
    assert macs_plot(two_units(small, (0, 0), (0.0, 0.0))) is None
