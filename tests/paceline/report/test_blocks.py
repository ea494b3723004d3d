from __future__ import annotations

import pytest

from paceline.report.blocks import Block, Stage, columns, family, read_block, short_unit, stages


@pytest.mark.parametrize(
    ("name", "block"),
    [
        ("k3e1g1", Block(3, 1, 1, 1)),
        ("k5e6g2", Block(5, 6, 2, 1)),
        ("k3e3g1d2", Block(3, 3, 1, 2)),
        ("skip", None),
        ("mbconv_k3e3g1", None),
    ],
)
def test_a_name_tells_what_the_block_is(name: str, block: Block | None) -> None:
    assert read_block(name) == block


@pytest.mark.parametrize(
    ("name", "expected"),
    [("k3e1g2", "k3"), ("k5e6g1", "k5"), ("k3e3g1d2", "k3 d2"), ("skip", "skip"), ("conv", "other")],
)
def test_a_family_is_kernel_and_dilation(name: str, expected: str) -> None:
    assert family(name) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["stage 1.1", "stage 1.2", "stage 2.1"], (Stage("stage 1", 0, 1), Stage("stage 2", 2, 2))),
        (["s1u1", "s2u1", "s2u2"], (Stage("s1", 0, 0), Stage("s2", 1, 2))),
        (["1.1", "1.2"], ()),
        (["first", "second"], ()),
        (["1.1", "second"], ()),
        ([], ()),
    ],
)
def test_stages_are_known_only_from_names_that_tell(names: list[str], expected: tuple[Stage, ...]) -> None:
    assert stages(names) == expected


def test_a_unit_beside_its_stage_needs_only_its_last_word() -> None:
    assert [short_unit(name) for name in ("stage 2.1", "2.1", "")] == ["2.1", "2.1", ""]


def test_each_candidate_is_one_column() -> None:
    assert columns([("a", "b"), ("b", "c"), ()]) == ("a", "b", "c")
