"""The catalog of targets: the one that ships, and damaged ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from devices import Target, WrongUse, find_target, load_catalog
from devices.catalog import shipped_targets
from latency import PRECISION_BYTES, find_profiler

ENTRY = '[bench]\nfamily = "cpu"\ndescription = "a bench"\nruntime = "dummy"\nprecision = "fp32"\n'


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    return tmp_path / "catalog.toml"


def test_the_catalog_that_ships_names_this_machine() -> None:
    target = load_catalog()["local"]
    assert target.name == "local"
    assert find_target("local") == target


def test_every_target_that_ships_is_described() -> None:
    assert all(target.name == name and target.description for name, target in shipped_targets().items())


def test_the_usual_devices_ship() -> None:
    usual = "local cuda xavier xavier-nx orin orin-nano nano t4 l4 a100 h100 rpi4 rpi5 ssh"
    assert list(shipped_targets()) == usual.split()


def test_what_ships_can_be_measured_as_it_says() -> None:
    for target in shipped_targets().values():
        assert find_profiler(target.runtime).name == target.runtime
        assert target.precision in PRECISION_BYTES


def test_only_this_machine_can_be_reached_at_first() -> None:
    assert [name for name, target in shipped_targets().items() if target.can_be_reached] == ["local", "cuda"]


KINDS = [target for target in shipped_targets().values() if target.peaks is not None]


@pytest.mark.parametrize("target", KINDS, ids=[target.name for target in KINDS])
def test_public_figures_hang_together(target: Target) -> None:
    assert target.peaks is not None
    figures = target.peaks.operations_per_s
    assert set(figures) <= set(PRECISION_BYTES)
    assert sorted(figures.values()) == [figures[name] for name in ("fp32", "fp16", "int8") if name in figures]
    assert 1 <= figures["fp32"] / target.peaks.bandwidth_bytes_per_s <= 110  # Operations for each byte.
    assert 1e-6 <= target.peaks.launch_s <= 20e-6


def test_figures_follow_from_cores_and_clocks() -> None:
    def peak(name: str, precision: str) -> float:
        peaks = shipped_targets()[name].peaks
        assert peaks is not None
        return peaks.operations_per_s[precision]

    assert peak("xavier", "fp32") == pytest.approx(512 * 1.377e9 * 2, rel=0.01)
    assert peak("xavier", "fp16") == pytest.approx(64 * 64 * 1.377e9 * 2, rel=0.01)
    assert peak("xavier-nx", "fp16") == pytest.approx(48 * 64 * 1.109e9 * 2, rel=0.01)
    assert peak("orin", "fp16") == pytest.approx(64 * 256 * 1.301e9 * 2, rel=0.01)
    assert peak("orin-nano", "int8") == pytest.approx(32 * 512 * 0.625e9 * 2, rel=0.01)
    assert peak("nano", "fp16") == pytest.approx(128 * 0.9216e9 * 4, rel=0.01)
    assert peak("rpi5", "fp32") == 4 * 2.4e9 * 2 * 4 * 2


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
        (ENTRY.replace('family = "cpu"\n', ""), "it lacks family"),
        (ENTRY + "colour = 3\n", "no field 'colour'"),
    ],
    ids=["no TOML", "named twice", "missing field", "unknown field"],
)
def test_a_damaged_catalog_is_refused_with_file_and_reason(catalog: Path, text: str, reason: str) -> None:
    catalog.write_text(text)
    with pytest.raises(WrongUse, match=reason) as caught:
        load_catalog(catalog)
    assert str(catalog) in str(caught.value)
    assert "paceline targets add" in str(caught.value)


def test_a_catalog_that_is_no_text_is_refused(catalog: Path) -> None:
    catalog.write_bytes(ENTRY.encode() + b"\xff\n")
    with pytest.raises(WrongUse, match=r"catalog\.toml is no list of targets"):
        load_catalog(catalog)


def test_a_catalog_that_is_not_there_is_refused(catalog: Path) -> None:
    with pytest.raises(WrongUse, match="No such file"):
        load_catalog(catalog)


def test_an_unknown_target_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(WrongUse, match=r"There is no target 'lokal'\. Did you mean 'local'\?"):
        find_target("lokal")
