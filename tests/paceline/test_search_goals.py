"""Limits, costs and tables as they are typed, and what they come to."""

from __future__ import annotations

from pathlib import Path

import pytest

from devices import WrongUse
from paceline.search_goals import Ground, Settings, Wanted, goals_of, open_ground, wanted_costs
from search import Goal, ListedCost, TabularBenchmark, open_images
from tests.paceline.conftest import Command
from tests.paceline.small_benchmark import SCORE, small_benchmark


def settings(
    *tables: object,
    space: str | None = None,
    input_size: tuple[int, int] | None = None,
    classes: int | None = None,
    precision: str | None = None,
    data: str = "scenes",
) -> Settings:
    return Settings(space, input_size, classes, precision, data, [str(table) for table in tables])


def goal(ground: Ground, text: str) -> Goal:
    return goals_of(ground, wanted_costs([text], None, []), None)[0]


def test_a_quantity_alone_is_one_of_the_objective() -> None:
    assert wanted_costs(["30ms"], None, []) == [Wanted("latency", None, "30ms")]
    assert wanted_costs(["30M"], "macs", []) == [Wanted("macs", None, "30M")]


def test_limits_name_their_costs_and_devices_and_traded_costs_follow() -> None:
    limits = ["latency@xavier=30ms", "macs=300M"]
    assert wanted_costs(limits, None, ["macs,memory", "memory, latency@pi"]) == [
        Wanted("latency", "xavier", "30ms"),
        Wanted("macs", None, "300M"),
        Wanted("memory", None),
        Wanted("latency", "pi"),
    ]


@pytest.mark.parametrize(
    ("limits", "objective", "pareto", "words"),
    [
        ([], None, [], "--limit 30ms"),
        (["flops=3M"], None, [], "no objective 'flops'"),
        (["3M"], "flops", [], "no objective 'flops'"),
        ([], None, ["latency,size"], "no objective 'size'"),
        (["30ms", "latency=20ms"], None, [], "several limits on latency"),
        (["macs=30M"], "macs", [], "--objective"),
        ([], None, ["latency@"], "A device is named after the @"),
    ],
)
def test_what_makes_no_sense_is_refused(
    limits: list[str], objective: str | None, pareto: list[str], words: str
) -> None:
    with pytest.raises(WrongUse, match=words):
        wanted_costs(limits, objective, pareto)


def test_a_benchmark_brings_its_space_its_devices_and_its_images(tmp_path: Path) -> None:
    benchmark = TabularBenchmark.read(small_benchmark(tmp_path / "small.npz"))
    ground = open_ground(settings(), [], benchmark, SCORE)
    assert (ground.name, ground.input_size, ground.classes) == ("nasbench201", (32, 32), 10)
    assert ground.costs.devices == ("board", "phone")
    assert goal(ground, "latency@phone=5ms").limit == pytest.approx(0.005)
    assert isinstance(goal(ground, "memory=2MB").cost, ListedCost)
    with pytest.raises(WrongUse, match=r"Say whose latency, as latency@board; known are board, phone"):
        goal(ground, "5ms")
    with pytest.raises(WrongUse, match=r"no device 'phon'. Did you mean 'phone'"):
        goal(ground, "latency@phon=5ms")
    with pytest.raises(WrongUse, match=r"does not say how sure"):
        goals_of(ground, [Wanted("latency", "phone", "5ms")], 0.9)


def test_what_does_not_fit_a_benchmark_is_refused(tmp_path: Path) -> None:
    benchmark = TabularBenchmark.read(small_benchmark(tmp_path / "small.npz"))
    with pytest.raises(WrongUse, match=r"leave out --space demo"):
        open_ground(settings(space="demo"), [], benchmark, SCORE)
    with pytest.raises(WrongUse, match=r"leave out --input and --classes"):
        open_ground(settings(input_size=(64, 64)), [], benchmark, SCORE)
    with pytest.raises(WrongUse, match=r"cannot be chosen: leave out --precision"):
        open_ground(settings(precision="int8"), [Wanted("latency", "board", "5ms")], benchmark, SCORE)
    with pytest.raises(WrongUse, match=r"knows one benchmark"):
        open_ground(settings(small_benchmark(tmp_path / "other.npz")), [], benchmark, SCORE)


def test_a_benchmark_can_be_the_table_of_other_evaluators(tmp_path: Path) -> None:
    path = small_benchmark(tmp_path / "small.npz")
    ground = open_ground(settings(path, input_size=(16, 16)), [Wanted("latency", "board", "5ms")], None, None)
    assert (ground.name, ground.input_size) == ("nasbench201", (16, 16))
    assert goal(ground, "latency@board=50%").limit == pytest.approx(0.007 / 2)


def test_cells_of_a_benchmark_that_others_score_tell_the_classes_of_the_images(tmp_path: Path) -> None:
    for picture in ("train/ant/0.png", "train/bee/0.png", "val/ant/0.png", "val/bee/0.png"):
        (tmp_path / picture).parent.mkdir(parents=True)
        (tmp_path / picture).touch()  # Nobody looks at it: folders are counted.
    path = small_benchmark(tmp_path / "small.npz")
    assert open_ground(settings(path, data=str(tmp_path)), [], None, None).classes == 2
    assert open_ground(settings(path, data=str(tmp_path), classes=5), [], None, None).classes == 5
    assert open_ground(settings(path), [], None, None).classes == 10


def test_latencies_of_another_size_are_said_to_be(tmp_path: Path) -> None:
    path, wanted = small_benchmark(tmp_path / "small.npz"), [Wanted("latency", "board", "5ms")]
    smaller = open_ground(settings(path, input_size=(16, 16)), wanted, None, None)
    assert smaller.note(wanted) == "Latencies in small.npz are of networks at 32x32; these have 16x16."
    assert not smaller.note([Wanted("macs", None, "5M")])
    assert not open_ground(settings(path), wanted, None, None).note(wanted)


def test_tables_of_several_devices_have_the_names_of_their_files_or_those_that_are_typed(dummy_table: Path) -> None:
    other = dummy_table.with_name("other.jsonl")
    other.write_bytes(dummy_table.read_bytes())
    ground = open_ground(settings(dummy_table, f"pi={other}", input_size=(32, 64)), [], None, None)
    assert list(ground.tables) == ["dummy", "pi"]
    assert goal(ground, "latency@pi=50%").cost.title == "latency on pi"
    with pytest.raises(WrongUse, match="Say whose latency"):
        goal(ground, "5ms")
    with pytest.raises(WrongUse, match="Two tables are called dummy"):
        open_ground(settings(dummy_table, f"dummy={other}"), [], None, None)


def test_a_table_alone_needs_no_name(dummy_table: Path) -> None:
    ground = open_ground(settings(dummy_table, input_size=(32, 64)), [], None, None)
    assert goal(ground, "50%").cost.title == "latency"
    assert ground.note([Wanted("latency", None, "50%")]) == ""


def test_latency_without_a_table_is_answered_with_the_command_that_fills_one() -> None:
    with pytest.raises(WrongUse, match="profile-device --target local --space demo"):
        open_ground(settings(), [Wanted("latency", None, "5ms")], None, None)


def test_a_space_has_the_classes_of_the_images_where_it_tells_what_they_show() -> None:
    assert open_ground(settings(space="squeezenas-small"), [], None, None).classes == 11
    assert open_ground(settings(space="squeezenas-small", classes=7), [], None, None).classes == 7
    assert open_ground(settings(space="fbnet"), [], None, None).classes == 1000
    shown = len(open_images("objects", "train", (32, 32)).classes)
    assert open_ground(settings(space="fbnet", data="objects"), [], None, None).classes == shown
    assert open_ground(settings(space="squeezenas-small", data="objects"), [], None, None).classes == 19


def test_a_confidence_belongs_to_a_latency() -> None:
    ground = open_ground(settings(), [], None, None)
    with pytest.raises(WrongUse, match="--confidence belongs to --objective latency"):
        goals_of(ground, [Wanted("macs", None, "50%")], 0.9)


def test_an_estimated_table_is_said_to_be_one(command: Command, tmp_path: Path) -> None:
    table = tmp_path / "guess.jsonl"
    ended = command(*("profile-device", "--target", "xavier", "--space", "demo", "--estimate", "--out", table))
    assert ended.status == 0, ended.err
    ground = open_ground(settings(table), [], None, None)
    assert "nothing was measured" in ground.note([Wanted("latency", None, "50%")])
    assert ground.note([Wanted("macs", None, "50%")]) == ""
