"""The benchmark of searched against other networks on street images: its limits, its record, its tables, and a run."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from benchmarks import camvid
from benchmarks.camvid_contest import Contest
from benchmarks.camvid_record import (
    BEST_OF_RANDOM,
    BY_HAND,
    BY_LATENCY,
    CLOSE,
    CONTENDERS,
    LATENCY,
    LATENCY_NASWOT,
    MACS,
    MACS_NASWOT,
    RANDOM,
    Entry,
    Record,
    Terms,
    Try,
    next_budget,
    one_of,
    slowest_fitting,
)
from benchmarks.camvid_searches import Searches
from benchmarks.camvid_shown import Paired, Shown
from benchmarks.camvid_trainings import Training, scores, threads_each
from devices import Device, DeviceState, NoAnswer, WrongUse
from latency import OPERATORS, DummyProfiler, Workload, plug_in_files
from lut import Start, in_this_process
from paceline.options import use_threads
from search import Interval, LabelledImages, Naswot, SearchRecipe, TrainRecipe, open_images, open_space

LIMIT_S = 1.0

TERMS = Terms(
    space="demo",
    input_size=(32, 64),
    data="scenes",
    limit="90%",
    seeds=2,
    search=SearchRecipe(warm_up_steps=1, alternating_steps=1, batch_size=2, candidates=2, score_images=2, paths="two"),
    train=TrainRecipe(steps=1, batch_size=2, images=4, test_images=2),
    tries=1,
    band=0.3,
    calibration=8,
    rounds=1,
    evaluations=3,
)


# Which limit a search gets next.


def tried(*pairs: tuple[float, float]) -> list[Try]:
    return [Try(budget, (0,), time_s) for budget, time_s in pairs]


def test_a_network_that_takes_the_limit_or_little_less_ends_the_searches() -> None:
    assert next_budget(tried((10.0, 1.0)), LIMIT_S, 4) is None
    assert next_budget(tried((10.0, 1 - CLOSE)), LIMIT_S, 4) is None
    assert next_budget(tried((10.0, 0.9)), LIMIT_S, 4) is not None
    assert next_budget(tried((10.0, 1.0001)), LIMIT_S, 4) is not None


def test_a_budget_is_scaled_by_what_its_network_takes() -> None:
    assert next_budget(tried((10.0, 0.5)), LIMIT_S, 4) == pytest.approx(10 * 0.99 / 0.5)
    assert next_budget(tried((10.0, 2.0)), LIMIT_S, 4) == pytest.approx(10 * 0.99 / 2)
    assert next_budget(tried((10.0, 1.01)), LIMIT_S, 4) == pytest.approx(9.5)  # A step, and no crumb.


def test_between_a_budget_that_fits_and_one_that_does_not_the_middle_is_tried() -> None:
    assert next_budget(tried((10.0, 0.5), (12.0, 1.5)), LIMIT_S, 4) == 11.0
    assert next_budget(tried((10.0, 0.8), (12.0, 1.05)), LIMIT_S, 4) == pytest.approx(12 * 0.99 / 1.05)
    # What fits at 12 makes it of no account that a smaller budget happened not to.
    assert next_budget(tried((10.0, 1.1), (12.0, 0.5)), LIMIT_S, 4) == pytest.approx(12 * 0.99 / 0.5)


def test_after_so_many_searches_one_that_fits_is_enough_and_without_one_they_go_on() -> None:
    assert next_budget(tried((10.0, 0.5), (12.0, 0.6)), LIMIT_S, 2) is None
    assert next_budget(tried((10.0, 1.5), (6.6, 1.2)), LIMIT_S, 2) == pytest.approx(6.6 * 0.99 / 1.2)
    with pytest.raises(NoAnswer, match="None of 14 searches found a network that measures within 1000 ms"):
        next_budget(tried(*[(10.0, 2.0)] * 14), LIMIT_S, 2)


def test_of_the_networks_that_fit_the_one_closest_to_the_limit_counts() -> None:
    assert slowest_fitting(tried((10.0, 0.9), (12.0, 0.7), (14.0, 1.1)), LIMIT_S).budget == 10.0


@pytest.mark.parametrize(
    ("times", "chosen", "measured"),
    [
        ((0.9, 0.97, 0.99), 1, 2),  # The first that is close, though another is closer.
        ((0.8, 1.1, 0.9), 2, 3),
        ((1.3, 1.1, 1.2), 1, 3),
        ((1.2,) * 6 + (0.99,), 0, 6),  # The seventh is not looked at.
    ],
)
def test_of_a_search_the_best_network_counts_that_takes_the_limit(
    times: tuple[float, ...], chosen: int, measured: int
) -> None:
    asked = list[tuple[int, ...]]()

    def time_of(picks: tuple[int, ...]) -> float:
        asked.append(picks)
        return times[picks[0]]

    found = one_of([(number,) for number in range(len(times))], 7.0, time_of, LIMIT_S)
    assert (found.budget, found.picks, found.time_s) == (7.0, (chosen,), times[chosen])
    assert len(asked) == measured


# What is kept.


def test_what_is_known_is_made_once_and_found_again(tmp_path: Path) -> None:
    made = list[int]()

    def make() -> list[float]:
        made.append(1)
        return [0.1, 2.0]

    assert Record(tmp_path / "record.json", {"seeds": 2}).get("one", make) == [0.1, 2.0]
    assert Record(tmp_path / "record.json", {"seeds": 2}).get("one", make) == [0.1, 2.0]
    assert len(made) == 1


def test_a_record_of_another_run_is_refused_by_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    Record(path, {"seeds": 2, "space": "demo"}).get("one", int)
    with pytest.raises(WrongUse, match=r"is of a run with other seeds\. Choose another --out"):
        Record(path, {"seeds": 3, "space": "demo"})
    path.write_text("{}")
    with pytest.raises(WrongUse, match="is no record of this benchmark"):
        Record(path, {"seeds": 2, "space": "demo"})


# What is shown.


def entry(contender: str, seed: int, miou: float, time_s: float = 0.95e-3) -> Entry:
    took = Interval(time_s, 0.99 * time_s, 1.01 * time_s)
    return Entry(contender, seed, "demo", ("skip",) * 2, 2_000_000, 1000, took, took, miou, 1e-3, 2)


def shown(gains: tuple[float, ...]) -> Shown:
    """The latency search is ahead of the MAC search by so many points."""
    macs = [entry(MACS, seed, 0.4 + 0.01 * seed, 0.9e-3) for seed in range(len(gains))]
    latency = [entry(LATENCY, seed, 0.4 + 0.01 * seed + gain / 100) for seed, gain in enumerate(gains)]
    return Shown((*latency, *macs), 1e-3, ("a heading",), {"seeds": len(gains)})


def test_differences_are_those_of_networks_with_the_same_seed() -> None:
    found = shown((1.0, 2.0, 3.0)).paired(LATENCY, MACS, "miou")
    assert found.differences == pytest.approx([1.0, 2.0, 3.0])
    assert (found.mean, found.spread, found.error) == pytest.approx((2.0, 1.0, 3**-0.5))
    assert found.interval == pytest.approx((2 - 4.303 / 3**0.5, 2 + 4.303 / 3**0.5), abs=1e-3)
    times = shown((1.0, 2.0)).paired(LATENCY, MACS, "time")
    assert times.differences == pytest.approx([100 * (0.95 / 0.9 - 1)] * 2)


def test_a_single_seed_has_no_spread() -> None:
    assert np.isnan(Paired(LATENCY, MACS, np.array([1.0])).spread)
    assert "a spread needs both searches with 2 seeds or more" in shown((1.0,)).text()


@pytest.mark.parametrize(
    ("gains", "verdict"),
    [
        ((1.0, 1.1, 0.9), "Target met: the limit on latency gains more than the spread over seeds; 0 is outside"),
        ((1.0, 3.0, 0.5), "Target met: the limit on latency gains more than the spread over seeds; 0 is inside"),
        ((1.0, -0.5, 0.1), "Target not met: the limit on latency gains less than the spread over seeds; 0 is inside"),
        ((-1.0, -1.1, -0.9), "Target not met: the limit on latency gains nothing; 0 is outside"),
    ],
)
def test_the_verdict_compares_the_gain_with_its_spread(gains: tuple[float, ...], verdict: str) -> None:
    assert verdict in shown(gains).text()


def test_each_search_has_a_verdict_of_its_own() -> None:
    gains = {LATENCY: 1.0, LATENCY_NASWOT: -1.0}
    entries = [entry(rival, seed, 0.4) for rival in BY_LATENCY.values() for seed in (0, 1)]
    entries += [entry(name, seed, 0.4 + gains[name] / 100 + seed / 1000) for name in BY_LATENCY for seed in (0, 1)]
    *_, first, met, second, missed = Shown(tuple(entries), 1e-3, (), {})._pairs()
    assert first.startswith("latency-searched minus MAC-searched by seed, points: +1.00, +1.10")
    assert met.startswith("Target met: ")
    assert second.startswith("latency, NASWOT minus MACs, NASWOT by seed, points: -1.00, -0.90")
    assert missed.startswith("Target not met: the limit on latency gains nothing")


def test_a_search_that_naswot_has_no_number_for_is_told_of(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, contest, _ = run
    monkeypatch.setattr(Naswot, "score", lambda self, picks: float("nan"))
    searches = Searches(contest.space, TERMS, tmp_path, contest._images, "cpu")
    with pytest.raises(NoAnswer, match="no number for any of 3 networks"):
        searches.by_naswot("one", contest._objective(MACS_NASWOT), 1e9, 0)


def test_a_contender_that_nothing_fits_and_a_network_above_the_limit_are_told() -> None:
    found = shown((1.0, 2.0))
    late = replace(found, entries=(*found.entries, entry(RANDOM, 0, 0.3, 1.1e-3)))
    text = late.text()
    assert f"{BY_HAND:18}{'none measures within the limit':>32}" in text
    assert "random, seed 0: 30.00 %, 2.00 M MACs, 1.100 ms (1.089 to 1.111), 10.0% over the limit" in text


def test_the_plot_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed; the plot is drawn with it")
    shown((1.0, 2.0)).draw(tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


# A run.


class Places:
    """Where the dummy profiler measures; counts how often it was opened."""

    def __init__(self) -> None:
        self.opened = 0

    @contextmanager
    def __call__(self) -> Iterator[Start]:
        self.opened += 1
        with nullcontext(in_this_process(DummyProfiler(Device("cpu", "test", "x86_64"), DeviceState))) as start:
            yield start


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Contest, list[Entry]]:
    pytest.importorskip("torch", reason="torch is not installed; networks are trained with it")
    folder = tmp_path_factory.mktemp("camvid")
    contest = Contest(TERMS, folder, Places())
    return folder, contest, contest.entries()


Run = tuple[Path, Contest, list[Entry]]


def test_every_contender_has_a_network_of_every_seed_that_measured_within_the_limit(run: Run) -> None:
    _, contest, entries = run
    places = [(each.contender, each.seed) for each in entries]
    assert places == [(name, seed) for seed in range(2) for name in CONTENDERS if (name, seed) in places]
    assert {name for name, _ in places} >= {*BY_LATENCY, *BY_LATENCY.values(), BEST_OF_RANDOM, RANDOM}
    for each in entries:
        assert each.measured.mean_s <= contest.limit_s * 1.05  # Measured again, which the choice had no part in.
        assert 0 <= each.miou <= 1
        space = open_space(each.space, TERMS.input_size, contest.space.classes)
        assert len(each.architecture) == len(space.units)
    budgets = {each.contender: each.budget for each in entries}
    for name, rival in BY_LATENCY.items():
        assert 0 < (budgets[name] or 0) < 1  # Seconds.
        assert (budgets[rival] or 0) > 1000  # MACs.
    assert budgets[RANDOM] is None


def test_random_networks_are_predicted_to_take_the_limit_or_little_less(run: Run) -> None:
    _, contest, entries = run
    for each in entries:
        if each.contender in {RANDOM, BEST_OF_RANDOM}:
            assert 0.69 * contest.limit_s <= each.predicted.mean_s <= 1.01 * contest.limit_s


def test_the_same_run_again_measures_and_trains_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _, entries = run

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("all of this is known")

    monkeypatch.setattr("search.training.train_network", refuse)
    monkeypatch.setattr("search.differentiable.DifferentiableSearch.search", refuse)
    assert Contest(TERMS, folder, Places()).entries() == entries
    fewer = Contest(replace(TERMS, seeds=1), folder, Places()).entries()  # The seeds are no part of what is kept.
    assert list(map(found, fewer)) == [found(each) for each in entries if each.seed == 0]


def test_a_run_that_is_cut_off_goes_on_and_ends_the_same(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _, entries = run
    shutil.copy(folder / "table.jsonl", tmp_path)
    one_seed = replace(TERMS, seeds=1)
    whole, left = Contest._time_s, iter(range(3))

    def cut_off(contest: Contest, network: Workload) -> float:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return whole(contest, network)

    with monkeypatch.context() as patched:
        patched.setattr(Contest, "_time_s", cut_off)
        with pytest.raises(KeyboardInterrupt):
            Contest(one_seed, tmp_path, Places()).entries()
    assert not list(tmp_path.rglob("*.trained.safetensors"))
    again = Contest(one_seed, tmp_path, Places()).entries()
    assert list(map(found, again)) == [found(each) for each in entries if each.seed == 0]


def found(entry: Entry) -> tuple[object, ...]:
    return entry.contender, entry.seed, entry.architecture, entry.budget, entry.tries, entry.miou


# Searches and trainings.


def test_a_search_by_naswot_keeps_the_limit_and_goes_on_from_its_history(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, contest, _ = run
    objective, limit_s = contest._objective(LATENCY_NASWOT), contest.limit_s
    terms = replace(TERMS, evaluations=35)  # The first 30 are drawn at random.

    def found() -> list[tuple[int, ...]]:
        return Searches(contest.space, terms, tmp_path, contest._images, "cpu").by_naswot("one", objective, limit_s, 3)

    networks = found()
    assert len((tmp_path / "seed_3" / "one.trials.jsonl").read_text().splitlines()) == 35
    naswot = Naswot(contest.space, 3, contest._images("train", 3), 4)
    scores = [naswot.score(picks) for picks in networks]
    assert 1 < len(networks) <= 35
    assert scores == sorted(scores, reverse=True)
    assert all(0.7 * limit_s <= objective.cost_of(picks) <= limit_s for picks in networks)

    def refuse(*_: object) -> float:
        raise AssertionError("all of them are known")

    monkeypatch.setattr(Naswot, "score", refuse)
    assert found() == networks


@pytest.fixture
def forgetting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that a test loads, and its operators, are not handed to the tests after it."""
    monkeypatch.setattr(plug_in_files, "_LOADED", dict(plug_in_files._LOADED))
    monkeypatch.setattr(OPERATORS, "_operators", dict(OPERATORS._operators))


@pytest.mark.usefixtures("forgetting")
def test_trainings_in_processes_of_their_own_end_as_they_do_here(run: Run, tmp_path: Path) -> None:
    _, contest, _ = run
    streets = contest._images("train", 0), contest._images("test", 0)
    own = open_space("docs/examples/ghost_space.py:space", (8, 8), 10)  # It has an operator of its own.
    things = open_images("objects", "train", (8, 8), count=4), open_images("objects", "val", (8, 8), count=4)
    networks = {
        "first": (contest._network((0,) * len(contest.space.units)), *streets),
        "last": (contest._network((12,) * len(contest.space.units)), *streets),
        "own": (own.network(own.architecture(["ghost5"] * len(own.units))), *things),
    }

    def trained(at_once: int) -> tuple[dict[str, float], dict[str, bytes]]:
        folder = tmp_path / str(at_once)
        folder.mkdir()
        trainings = {name: Training(*parts, TERMS.train, 0, folder / name, "cpu") for name, parts in networks.items()}
        found = dict(scores(trainings, at_once, threads=1))
        return found, {path.name: path.read_bytes() for path in folder.iterdir()}

    use_threads(1)
    assert trained(at_once=2) == trained(at_once=1)


class Deadly(LabelledImages):
    """End the process that looks at them."""

    name, classes, size = "deadly", ("nothing",), (32, 64)

    def __len__(self) -> int:
        return 4

    def read(self, index: int) -> NoReturn:
        os._exit(9)


def test_a_process_that_is_killed_is_told_of_with_a_way_on(run: Run, tmp_path: Path) -> None:
    _, contest, _ = run
    network = contest._network((0,) * len(contest.space.units))
    training = Training(network, Deadly(), Deadly(), TERMS.train, 0, tmp_path / "c", "cpu")
    with pytest.raises(NoAnswer, match=r"A process that trained was killed; .* --at-once 1"):
        list(scores({"it": training}, at_once=2, threads=1))


def test_processes_share_the_cores_unless_threads_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.camvid_trainings.cores", lambda: 8)
    assert [threads_each(2, None), threads_each(3, None), threads_each(16, None)] == [4, 2, 1]
    assert threads_each(2, 8) == 8
    assert threads_each(1, None) is None


def test_a_contest_that_trains_two_networks_at_once_has_the_same_scores(run: Run, tmp_path: Path) -> None:
    folder, _, entries = run
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    for checkpoint in tmp_path.rglob("*.trained.safetensors"):
        checkpoint.unlink()
    record = json.loads((tmp_path / "record.json").read_text())
    record["known"] = {name: value for name, value in record["known"].items() if ", mIoU of " not in name}
    (tmp_path / "record.json").write_text(json.dumps(record))
    again = Contest(replace(TERMS, seeds=1), tmp_path, Places(), at_once=2, threads=1).entries()
    mious = {each.contender: each.miou for each in entries if each.seed == 0}
    assert {each.contender: each.miou for each in again} == pytest.approx(mious, abs=0.02)  # Of other threads.


# The command.


def test_the_short_form_has_defaults_of_its_own_and_takes_others() -> None:
    short = camvid.terms_of(camvid._options(["--short", "--data", "scenes", "--seeds", "2"]))
    assert (short.space, short.input_size, short.seeds) == ("squeezenas-small", (96, 128), 2)
    full = camvid.terms_of(camvid._options(["--data", "scenes"]))
    assert (full.space, full.input_size, full.seeds) == ("squeezenas-small", (180, 240), 3)
    assert full.search.warm_up_steps > short.search.warm_up_steps


@pytest.mark.parametrize("words", [["--seeds", "0"], ["--band", "0"], ["--tries", "0"]])
def test_numbers_out_of_range_are_refused(words: list[str]) -> None:
    with pytest.raises(WrongUse):
        camvid.terms_of(camvid._options(["--short", *words]))


def test_the_command_prints_its_tables_and_keeps_figures_and_plot(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed; the plot is drawn with it")
    _, contest, entries = run
    monkeypatch.setattr(Contest, "entries", lambda self: entries)
    monkeypatch.setattr(Contest, "lookup", contest.lookup)
    monkeypatch.setattr(camvid, "use_threads", lambda threads: None)
    where = ["--data", "scenes", "--space", "demo", "--runtime", "dummy", "--out", str(tmp_path)]
    camvid.main(["--short", "--seeds", "2", *where])
    text = capsys.readouterr().out
    assert text.startswith("demo at 96x128, scenes, 2 seeds, within ")
    assert "table calibrated with 8 networks" in text
    assert re.search(r"rank random networks alike by [01-]\.\d{3} \(Spearman\); 90 % of those .* [\d.]+ M MACs", text)
    assert "latency-searched minus MAC-searched by seed, points: " in text
    kept = json.loads((tmp_path / "camvid.json").read_text())
    assert len(kept["entries"]) == len(entries)
    assert (tmp_path / "camvid.png").exists()
