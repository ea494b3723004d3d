"""What third parties register: found when it keeps the contract, said when it does not."""

from __future__ import annotations

import sys
from importlib import metadata

import pytest

from latency.plug_ins import third_parties


class Contract:
    """What a plug-in must be a subclass of."""


class Theirs(Contract):
    """As a third party writes one."""

    name = "theirs"


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plug_in", sys.modules[__name__])


def found(monkeypatch: pytest.MonkeyPatch, *entries: tuple[str, str]) -> tuple[dict[str, type], dict[str, str]]:
    """What comes back when these names and values are registered in the group ``group``."""
    registered = [metadata.EntryPoint(name, value, "group") for name, value in entries]
    monkeypatch.setattr(metadata, "entry_points", lambda *, group: registered if group == "group" else [])
    return third_parties("group", Contract, {"shipped"})


def test_a_subclass_under_its_own_name_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(monkeypatch, ("theirs", "plug_in:Theirs")) == ({"theirs": Theirs}, {})


def test_a_broken_one_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    good, broken = found(monkeypatch, ("gone", "nobody_has_this_module:X"), ("theirs", "plug_in:Theirs"))
    assert good == {"theirs": Theirs}
    assert "cannot be imported (ModuleNotFoundError" in broken["gone"]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("theirs", "plug_in:third_parties", "must be a subclass of latency.Contract"),
        ("theirs", "pathlib:Path", "must be a subclass of latency.Contract"),
        ("others", "plug_in:Theirs", "must have the name of its entry point; got 'theirs'"),
        ("theirs", "plug_in:Contract", "must have the name of its entry point; got None"),
    ],
)
def test_what_does_not_keep_the_contract_is_left_out_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    good, broken = found(monkeypatch, (name, value))
    assert good == {}
    assert words in broken[name]


def test_a_name_that_is_shipped_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Theirs, "name", "shipped")
    good, broken = found(monkeypatch, ("shipped", "plug_in:Theirs"))
    assert good == {}
    assert "shipped is shipped with paceline" in broken["shipped"]
