"""A function of the user as an evaluator."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from devices import WrongUse
from latency import plug_in_files
from search import Space
from search.evaluators import UserFunction

_FILE = '''
def fewer_skips(space, architecture):
    """Share of units that do something."""
    return sum(name != "skip" for name in space.names(architecture)) / len(space.units)

def whole(space, architecture):
    return sum(architecture.picks)

def wordy(space, architecture):
    return "good"

def broken(space, architecture):
    return float("nan")

def failing(space, architecture):
    return {}["weights"]

def wants_nothing():
    return 1.0
'''


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # Not handed to the processes of the tests after it.
    monkeypatch.setattr(plug_in_files, "_LOADED", dict(plug_in_files._LOADED))
    path = tmp_path / "my_file.py"
    path.write_text(_FILE)
    return path


def test_it_is_asked_with_the_space_and_the_architecture(tiny: Space, file: Path) -> None:
    evaluator = UserFunction(tiny, file, "fewer_skips")
    assert evaluator.score((0, 12, 0, 0)) == 0.75
    assert (evaluator.name, evaluator.meaning) == ("my_file.py:fewer_skips", "Share of units that do something")


def test_whole_numbers_are_numbers_and_text_is_none(tiny: Space, file: Path) -> None:
    assert UserFunction(tiny, file, "whole").score((1, 2, 3, 4)) == 10.0
    assert UserFunction(tiny, file, "whole").meaning == "what my_file.py:whole returns"
    assert math.isnan(UserFunction(tiny, file, "broken").score((0, 0, 0, 0)))
    with pytest.raises(WrongUse, match=r"my_file.py:wordy must return a number, .* got 'good'"):
        UserFunction(tiny, file, "wordy").score((0, 0, 0, 0))


def test_what_a_function_raises_is_said_with_its_line_and_the_network(tiny: Space, file: Path) -> None:
    line = _FILE.splitlines().index('    return {}["weights"]') + 1
    with pytest.raises(WrongUse, match=rf"failing raised KeyError: 'weights' \(line {line}\), asked about \S+ .*NaN"):
        UserFunction(tiny, file, "failing").score((0, 0, 0, 0))
    with pytest.raises(WrongUse, match=r"wants_nothing raised TypeError: .* 2 were given, asked about"):
        UserFunction(tiny, file, "wants_nothing").score((0, 0, 0, 0))


def test_a_changed_file_is_another_evaluator(tiny: Space, file: Path) -> None:
    before = UserFunction(tiny, file, "whole").key
    file.write_text(_FILE + "\n")
    assert UserFunction(tiny, file, "whole").key != before


def test_a_function_that_is_not_there_is_refused_with_the_nearest(tiny: Space, file: Path) -> None:
    with pytest.raises(WrongUse, match=r"no function in .* 'fewer_skip'. Did you mean 'fewer_skips'"):
        UserFunction(tiny, file, "fewer_skip")


def test_a_missing_file_is_named(tiny: Space, tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"no file .*none\.py"):
        UserFunction(tiny, tmp_path / "none.py", "score")
