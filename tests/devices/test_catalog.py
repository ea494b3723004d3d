"""The catalog of targets: the one that ships, and damaged ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from devices import Target, WrongUse, find_target, load_catalog

ENTRY = '[bench]\nfamily = "cpu"\ndescription = "a bench"\nruntime = "dummy"\nprecision = "fp32"\n'


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    return tmp_path / "catalog.toml"


def test_the_catalog_that_ships_names_this_machine() -> None:
    target = load_catalog()["local"]
    assert target.name == "local"
    assert find_target("local") == target


def test_every_target_that_ships_is_described() -> None:
    assert all(target.name == name and target.description for name, target in load_catalog().items())


def test_a_catalog_of_ones_own_is_read_in_place_of_it(catalog: Path) -> None:
    catalog.write_text(ENTRY)
    assert load_catalog(catalog) == {"bench": Target("bench", "cpu", "a bench", "dummy", "fp32")}


def test_an_empty_catalog_has_no_targets(catalog: Path) -> None:
    catalog.write_text("")
    assert load_catalog(catalog) == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[bench\n", "Expected ']'"),
        (ENTRY + ENTRY, "Cannot declare"),
        (ENTRY.replace('family = "cpu"\n', ""), "missing .* 'family'"),
        (ENTRY + "colour = 3\n", "unexpected keyword argument 'colour'"),
        (ENTRY + 'name = "other"\n', "multiple values for .*'name'"),
        ("bench = 3\n", "mapping"),
    ],
    ids=["no TOML", "named twice", "missing field", "unknown field", "name as a field", "no table"],
)
def test_a_damaged_catalog_is_refused_with_file_and_reason(catalog: Path, text: str, reason: str) -> None:
    catalog.write_text(text)
    with pytest.raises(WrongUse, match=reason) as caught:
        load_catalog(catalog)
    assert str(catalog) in str(caught.value)
    assert "devices/catalog.toml" in str(caught.value)


def test_a_catalog_that_is_no_text_is_refused(catalog: Path) -> None:
    catalog.write_bytes(ENTRY.encode() + b"\xff\n")
    with pytest.raises(WrongUse, match=r"catalog\.toml is no catalog"):
        load_catalog(catalog)


def test_a_catalog_that_is_not_there_is_refused(catalog: Path) -> None:
    with pytest.raises(WrongUse, match="No such file"):
        load_catalog(catalog)


def test_an_unknown_target_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(WrongUse, match=r"There is no target 'lokal'\. Did you mean 'local'\?"):
        find_target("lokal")
