"""What a fill says of itself."""

from __future__ import annotations

from pathlib import Path

from latency import UNFINISHED
from lut import FillSummary
from paceline.commands.fill_summary import failures_in_words, outcome_in_words, summary_in_words, summary_json
from tests.contracts.examples import BLOCKS, failure, measurement

WIDE = measurement(BLOCKS[0], times=[1e-3, 1.01e-3, 1.02e-3])
SUMMARY = FillSummary(3, 2, 1, WIDE, (failure(BLOCKS[1]),), {"precise": 2, UNFINISHED: 1}, (failure(BLOCKS[2]),))
PATH = Path("t.jsonl")


def test_it_is_said_what_was_done_how_it_ended_and_what_is_known_worst() -> None:
    first, ended, late, widest, *_ = summary_in_words(SUMMARY, PATH, 1.23)
    assert first == "t.jsonl: 3 measured, 2 failed, 1 skipped (known already), 1.2 s"
    assert ended == "ended: 2 precise, 1 unfinished"
    assert late == "The time limit came first; the same command goes on."
    assert widest.startswith("widest 95 % interval: +-")
    assert widest.endswith(BLOCKS[0].describe())


def test_of_a_fill_that_had_nothing_to_do_there_is_one_line() -> None:
    idle = FillSummary(0, 0, 7, None, (), {})
    words = "t.jsonl: 0 measured, 0 failed, 7 skipped (known already), 0.0 s"
    assert list(summary_in_words(idle, PATH, 0.0)) == [words]
    assert summary_json(idle, PATH, 0.0)["widest_interval"] is None


def test_failures_are_told_with_their_stage_and_reason_and_apart_from_setbacks() -> None:
    failed, kept = failures_in_words(SUMMARY)
    assert failed == f"failed at load: {BLOCKS[1].describe()}: not implemented"
    assert "what others measured is kept" in kept
    told = summary_json(SUMMARY, PATH, 1.23456)
    assert (told["table"], told["seconds"], told["measured"]) == ("t.jsonl", 1.235, 3)
    assert [f["workload"] for f in told["failures"]] == [BLOCKS[1].describe()]
    assert [f["workload"] for f in told["setbacks"]] == [BLOCKS[2].describe()]


def test_the_words_beside_a_bar_are_a_time_or_that_it_failed() -> None:
    assert outcome_in_words(measurement(BLOCKS[0], 1.5e-3)).startswith("1.5 ms  ")
    assert outcome_in_words(failure(BLOCKS[0])) == f"failed: {BLOCKS[0].describe()}"
