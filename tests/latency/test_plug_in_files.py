"""Files of the user that register operators: run once, here and in processes that measure."""

from __future__ import annotations

from pathlib import Path

import pytest

from devices import WrongUse
from latency import OPERATORS, FreshProcess, Measurement, ProfilerSettings, Workload, load_plug_in, loaded_plug_ins
from latency import plug_in_files as module
from tests.contracts.examples import DEVICE, QUICK

DOUBLING = """
from dataclasses import dataclass
from latency import OPERATORS, Layer, Operator

@dataclass
class Note:
    text: str

class Doubling(Operator):
    name = "doubling_%s"
    attributes = {}

    def layers(self, workload):
        return (Layer(workload.inputs[0], macs=7),)

    def build(self, workload):
        raise NotImplementedError

OPERATORS.add(Doubling())
"""


@pytest.fixture(autouse=True)
def forgetting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that a test loads are not handed to the processes of the tests after it."""
    monkeypatch.setattr(module, "_LOADED", dict(module._LOADED))
    monkeypatch.setattr(OPERATORS, "_operators", dict(OPERATORS._operators))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "doubling.py").write_text(DOUBLING % tmp_path.name)
    return tmp_path / "doubling.py"


def test_its_operators_are_known_and_it_runs_once(file: Path) -> None:
    first = load_plug_in(file)
    assert load_plug_in(file.parent / "." / file.name) is first
    assert f"doubling_{file.parent.name}" in OPERATORS
    assert loaded_plug_ins()[-1] == file.resolve()


def test_a_process_that_measures_knows_them_too(file: Path) -> None:
    load_plug_in(file)
    workload = Workload(f"doubling_{file.parent.name}", ((1, 2, 3),))
    with FreshProcess(ProfilerSettings("dummy", DEVICE)) as process:
        assert isinstance(process.measure(workload, QUICK), Measurement)


def test_a_file_that_is_gone_when_a_process_begins_is_said(file: Path) -> None:
    load_plug_in(file)
    file.unlink()
    with pytest.raises(WrongUse, match="There is no file"):
        FreshProcess(ProfilerSettings("dummy", DEVICE))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 +", "SyntaxError"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("{}['a']", "KeyError"),
        ("1 / 0", "ZeroDivisionError"),
        ("assert False, 'not here'", "AssertionError: not here"),
        ("from latency import OPERATORS\nOPERATORS.add(OPERATORS['identity'])", "already an operator 'identity'"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_and_it_can_be_mended(tmp_path: Path, text: str, said: str) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text(text)
    with pytest.raises(WrongUse, match=said):
        load_plug_in(broken)
    broken.write_text("fine = 1")
    assert load_plug_in(broken).fine == 1


def test_a_file_that_is_not_there_or_no_python_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="There is no file"):
        load_plug_in(tmp_path / "none.py")
    (tmp_path / "notes.txt").write_text("x = 1")
    with pytest.raises(WrongUse, match=r"must end with \.py"):
        load_plug_in(tmp_path / "notes.txt")
