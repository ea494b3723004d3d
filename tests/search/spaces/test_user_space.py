"""Spaces of the user: files that make or declare one, and the documented example from end to end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from devices import WrongUse
from latency import (
    OPERATORS,
    FreshProcess,
    ProfilerSettings,
    export_onnx,
    loaded_plug_ins,
    operator_of,
    plug_in_files,
)
from lut import Lookup, Table
from search import Architecture, Space, open_space
from search.spaces.user_space import is_user_space, open_user_space
from tests.contracts.examples import DEVICE, QUICK
from tests.contracts.space_contract import SpaceContract
from tests.search.spaces.test_declared_space import DEMO

EXAMPLE = Path(__file__).resolve().parents[3] / "docs" / "examples" / "ghost_space.py"
NAME = f"{EXAMPLE}:space"

MADE = """
from search import open_space
def space(input_size=(64, 96), classes=3, precision="fp32"):
    return open_space("demo", input_size, classes, precision)
def sized(input_size):
    return open_space("demo", input_size)
def odd(size):
    return None
def wrong():
    return 3
made = open_space("demo", (64, 64), 4)
"""


@pytest.fixture(autouse=True)
def forgetting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that a test loads, and their operators, are not handed to the tests after it and to their processes."""
    monkeypatch.setattr(plug_in_files, "_LOADED", dict(plug_in_files._LOADED))
    monkeypatch.setattr(OPERATORS, "_operators", dict(OPERATORS._operators))


class TestTheExample(SpaceContract):
    smallest = (8, 8)

    def open(
        self, input_size: tuple[int, int] | None = None, classes: int | None = None, precision: str = "fp32"
    ) -> Space:
        return open_space(NAME, input_size, classes, precision)


def test_the_example_is_short() -> None:
    assert len(EXAMPLE.read_text().splitlines()) < 60


def test_the_example_fills_a_table_in_fresh_processes_that_know_its_operator() -> None:
    space = open_space(NAME, (8, 8), 3)
    assert EXAMPLE in loaded_plug_ins()
    with FreshProcess(ProfilerSettings("dummy", DEVICE)) as process:
        table = Table(process.measure(w, QUICK) for w in space.workloads() if not operator_of(w).is_free)
    lookup = Lookup.read(table, space.grid, space.fixed)
    assert "ghost" in {outcome.workload.operator for outcome in table.values()}
    assert (lookup.mean_s > 0).all()


def test_a_network_of_the_example_is_exported() -> None:
    space = open_space(NAME, (8, 8), 3)
    ghosts = space.architecture(["ghost5"] * len(space.units))
    assert len(export_onnx(space.network(ghosts))) > 1000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(MADE)
    return tmp_path / "mine.py"


def test_the_name_is_what_opens_it_again(file: Path) -> None:
    space = open_space(f"{file}:space", (64, 64))
    assert space.name == f"{file}:space"
    again = open_space(space.name, space.input_size, space.classes)
    assert again.lower(Architecture(space.name, space.reference)) == space.lower(
        Architecture(space.name, space.reference)
    )


def test_without_a_name_it_is_the_one_called_space(file: Path) -> None:
    space = open_space(str(file))
    assert (space.input_size, space.classes) == ((64, 96), 3)


def test_a_space_that_is_made_already_opens_as_it_is(file: Path) -> None:
    assert open_space(f"{file}:made").classes == 4
    assert open_space(f"{file}:made", (64, 64), 4).input_size == (64, 64)
    with pytest.raises(WrongUse, match="is made for an input of 64x64, 4 classes and fp32"):
        open_space(f"{file}:made", (64, 96))


@pytest.mark.parametrize(
    ("name", "asked", "said"),
    [
        ("sized", {}, "has no default for input_size; give --input"),
        ("sized", {"input_size": (64, 64), "classes": 3}, "has no classes to set; leave out --classes"),
        ("sized", {"input_size": (64, 64), "precision": "fp16"}, "must take input_size, classes and precision"),
        ("odd", {}, "must take input_size, classes and precision; it takes size"),
        ("wrong", {}, "must return a Space; got int"),
        ("nothing", {}, "has no space 'nothing'"),
    ],
)
def test_a_function_that_does_not_make_the_space_that_is_asked_for_is_refused(
    file: Path, name: str, asked: dict[str, object], said: str
) -> None:
    with pytest.raises(WrongUse, match=said):
        open_user_space(f"{file}:{name}", **asked)  # type: ignore[arg-type]


def test_a_function_may_take_less_than_everything(file: Path) -> None:
    space = open_space(f"{file}:sized", (64, 64))
    assert space.input_size == (64, 64)
    again = open_space(space.name, space.input_size, space.classes)  # As a result file says it.
    assert (again.input_size, again.classes) == (space.input_size, space.classes)


def test_a_space_that_does_not_fit_together_is_refused(file: Path) -> None:
    file.write_text(MADE + "from dataclasses import replace\nbroken = replace(made, tap=99)\n")
    with pytest.raises(WrongUse, match="broken does not fit together: The tap"):
        open_space(f"{file}:broken")


def test_a_declared_space_opens_with_the_plug_ins_beside_it(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(f"plug_ins = [{json.dumps(str(EXAMPLE))}]\n" + DEMO)
    space = open_space(str(tmp_path / "own.toml"), (64, 64), 3)
    assert (space.name, space.input_size, len(space.units)) == (str(tmp_path / "own.toml"), (64, 64), 10)
    (tmp_path / "own.toml").write_text("plug_ins = 3\n" + DEMO)
    with pytest.raises(WrongUse, match="plug_ins is a list of Python files"):
        open_space(str(tmp_path / "own.toml"))


def test_a_file_that_is_missing_or_no_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="There is no file"):
        open_space(str(tmp_path / "none.py"))
    with pytest.raises(WrongUse, match="cannot be read"):
        open_space(str(tmp_path / "none.toml"))
    (tmp_path / "broken.toml").write_text("stages = ")
    with pytest.raises(WrongUse, match="is no TOML file"):
        open_space(str(tmp_path / "broken.toml"))


def test_what_the_page_declares_opens(tmp_path: Path) -> None:
    page = (EXAMPLE.parents[1] / "own_space.md").read_text()
    (tmp_path / "page.toml").write_text(page.split("```toml\n")[1].split("```")[0])
    space = open_space(str(tmp_path / "page.toml"))
    assert space.sizes == (6, 7, 6, 7, 7)


def test_names_of_files_are_told_from_those_of_spaces_that_ship() -> None:
    assert [is_user_space(name) for name in ("a.py", "b/a.py:c", "a.toml", "demo", "a:b")] == [
        True,
        True,
        True,
        False,
        False,
    ]
