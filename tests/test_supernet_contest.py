"""The contest of supernet steps at its smallest: what is searched, how long, and what is printed as it goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from search import Objective, SearchRecipe, TrainRecipe, open_space

pytest.importorskip("torch", reason="torch is not installed; the benchmark trains with it")

from benchmarks.supernet_contest import Contest, show_networks

Row = dict[str, float]


@pytest.fixture
def contest() -> Contest:
    """One step of each kind, on images of 32x64."""
    objective = Objective.macs(open_space("demo", (32, 64), 11))
    recipe = SearchRecipe(
        warm_up_steps=1, alternating_steps=1, batch_size=2, candidates=1, score_images=2, recalibration_batches=1
    )
    train = TrainRecipe(steps=1, batch_size=2, images=4, test_images=2)
    return Contest(objective, objective.limit("80%"), "scenes", recipe, train)


def test_networks_are_searched_in_equal_steps_and_trained_alike(contest: Contest, tmp_path: Path) -> None:
    rows = dict(contest.rows(0, tmp_path))
    assert list(rows) == ["soft", "two", "two, equal time", "random"]
    assert [rows[name]["steps"] for name in ("soft", "two", "random")] == [1, 1, 0]
    assert rows["two, equal time"]["steps"] >= 1
    assert all(row["cost"] <= contest.limit and 0 <= row["miou"] <= 1 for row in rows.values())


@pytest.mark.parametrize(("two_s", "more"), [(2.0, 9), (8.0, 3)])
def test_in_equal_time_two_paths_make_as_many_more_steps_as_they_are_faster(
    contest: Contest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, two_s: float, more: int
) -> None:
    asked: list[tuple[str, int]] = []

    def searched(_: Contest, paths: str, steps: int, *_more: object) -> Row:
        asked.append((paths, steps))
        return {"search_s": 6.0 if paths == "soft" else two_s, "steps": steps}

    monkeypatch.setattr(Contest, "_searched", searched)
    monkeypatch.setattr(Contest, "_trained", lambda *_: {})
    three = replace(contest, search=replace(contest.search, alternating_steps=3))
    rows = dict(three.rows(0, tmp_path))
    assert rows["two, equal time"]["steps"] == more
    # Where two paths are no faster, the search in equal time is the one in equal steps.
    assert asked == [("soft", 3), ("two", 3), *([("two", 9)] if more == 9 else [])]


def test_every_network_is_printed_as_soon_as_it_is_there(
    contest: Contest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def rows(_: Contest, seed: int, *_more: object) -> Iterator[tuple[str, Row]]:
        for name, miou in (("soft", 0.5), ("two", 0.6)):
            if seed == 1 and name == "two":
                raise KeyboardInterrupt
            yield name, {"search_s": 1.5, "steps": 3, "cost": 1e6, "miou": miou + 0.1 * seed}

    monkeypatch.setattr(Contest, "rows", rows)
    with pytest.raises(KeyboardInterrupt):
        show_networks(contest, 2)
    lines = capsys.readouterr().out.splitlines()
    assert [line[:11].rstrip() for line in lines[-3:]] == ["seed 0 soft", "seed 0 two", "seed 1 soft"]
    assert lines[-1].split()[3:] == [
        "3",
        "steps",
        "1.5",
        "processor",
        "seconds",
        "1",
        "M",
        "MACs",
        *lines[-1].split()[-3:],
    ]
    show_networks(contest, 1)
    assert "two              mean 0.600, deviation 0.000, against soft +0.100" in capsys.readouterr().out


def test_searches_are_timed_without_other_programs_but_on_a_gpu(contest: Contest) -> None:
    assert contest.clock is time.process_time
    assert replace(contest, device="cuda:0").clock is time.perf_counter
