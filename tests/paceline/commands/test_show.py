from __future__ import annotations

from pathlib import Path

import pytest

from tests.paceline.conftest import Command

EXAMPLE = Path(__file__).resolve().parents[3] / "docs" / "examples" / "ghost_space.py"


@pytest.mark.parametrize(
    ("name", "macs", "parameters"),
    [
        ("lat_small", 4_465_098_752, 465_774),
        ("lat_large", 19_574_636_544, 1_918_734),
        ("lat_xlarge", 32_729_202_688, 3_059_323),
        ("mac_small", 3_007_512_576, 277_598),
        ("mac_large", 9_386_147_840, 704_382),
        ("mac_xlarge", 21_838_299_136, 1_819_563),
        ("proxylessnas_mobile", 320_427_584, 4_080_512),
    ],
)
def test_a_published_network_has_its_published_counts(command: Command, name: str, macs: int, parameters: int) -> None:
    shown = command("show", name, "--json").json
    assert (shown["macs"], shown["parameters"]) == (macs, parameters)


def test_a_space_lists_every_units_candidates(command: Command) -> None:
    shown = command("show", "--space", "squeezenas-small", "--input", "1024x2048", "--units", "--json").json
    assert len(shown["units"]) == 20
    for unit in shown["units"]:
        assert len(unit["candidates"]) == 13
        assert {"name", "macs", "parameters"} <= set(unit["candidates"][0])
    skip = shown["units"][1]["candidates"][12]
    assert (skip["name"], skip["macs"], skip["parameters"]) == ("skip", 0, 0)


def test_people_get_the_same_numbers_as_programs(command: Command) -> None:
    assert "4 465 098 752" in command("show", "lat_small").out
    assert "20 units" in command("show", "--space", "squeezenas-small").out
    assert "k3e6g1d2" in command("show", "--space", "demo", "--units").out


def test_without_a_name_it_lists_what_there_is(command: Command) -> None:
    assert "lat_xlarge" in command("show").out
    assert command("show", "--json").json["spaces"][0] == "squeezenas-small"


def test_a_file_that_is_no_result_is_refused(command: Command, tmp_path: object) -> None:
    ended = command("show", f"{tmp_path}/nothing.json")
    assert ended.status == 2
    assert "paceline search" in ended.err


CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"


def test_a_network_is_shown_by_the_candidates_of_its_units(command: Command) -> None:
    shown = command("show", "fbnet_a", "--json").json
    again = command("show", " | ".join(shown["architecture"]), "--space", "fbnet", "--json").json
    assert (again["macs"], again["architecture"]) == (shown["macs"], shown["architecture"])
    assert shown["macs"] == 249_369_912


def test_a_cell_is_shown_as_the_benchmark_writes_it(command: Command) -> None:
    shown = command("show", CELL, "--space", "nasbench201", "--json").json
    assert shown["architecture"][-2:] == ["none", "nor_conv_1x1"]
    ended = command("show", CELL.replace("~2", "~1"), "--space", "nasbench201")
    assert (ended.status, "A cell is" in ended.err) == (2, True)


def test_candidates_of_no_workload_and_of_many_are_counted(command: Command) -> None:
    units = command("show", "--space", "nasbench201", "--units", "--json").json["units"]
    none, _, _, convolution, _ = units[0]["candidates"]
    assert (none["macs"], none["parameters"], none["activation_bytes"]) == (0, 0, 0)
    assert convolution["macs"] == 15 * 9 * 16 * 16 * 32 * 32


def test_a_space_of_ones_own_is_shown(command: Command) -> None:
    assert "7 units" in command("show", "--space", f"{EXAMPLE}:space").out
