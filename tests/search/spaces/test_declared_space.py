"""Spaces declared in TOML: the demo space spelled out, and what is said about each mistake."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from devices import WrongUse
from search import open_space
from search.spaces import Space, refuse_inconsistent
from search.spaces.declared_space import declared_space

DEMO = """
input = [96, 192]
classes = 11
reference = "k3e3g1"

[[stem]]
operator = "convolution"
channels = 8
kernel = 3
stride = 2

[[stages]]
channels = 8
units = 2
stride = 2
[[stages]]
channels = 12
units = 2
stride = 2
[[stages]]
channels = 20
units = 2
stride = 2
[[stages]]
channels = 24
units = 2
stride = 1
[[stages]]
channels = 48
units = 2
stride = 1

[[candidates]]
name = "k{kernel}e{expansion}g{groups}"
operator = "inverted_residual"
kernel = [3, 5]
expansion = [1, 3, 6]
groups = 1
dilation = 1
[[candidates]]
name = "k{kernel}e{expansion}g{groups}"
operator = "inverted_residual"
kernel = [3, 5]
expansion = 1
groups = 2
dilation = 1
[[candidates]]
name = "k3e{expansion}g1d2"
operator = "inverted_residual"
kernel = 3
expansion = [1, 3, 6]
groups = 1
dilation = 2
[[candidates]]
name = "k3e1g2d2"
operator = "inverted_residual"
kernel = 3
expansion = 1
groups = 2
dilation = 2
[[candidates]]
name = "skip"
operator = "identity"
where = "same shape"
[[candidates]]
name = "skip"
operator = "projection"
where = "new width"
[[candidates]]
name = "skip"
operator = "factorized_reduce"
where = "stride"

[[head]]
operator = "convolution"
channels = 128
kernel = 1
stride = 1

[decoder]
operator = "lr_aspp"
tap = 3
middle = 64
"""


def declared(changes: dict[str, Any] | None = None, **asked: Any) -> Space:
    values = {**tomllib.loads(DEMO), **(changes or {})}
    given = {"input_size": None, "classes": None, "precision": "fp32", **asked}
    return declared_space("demo.toml", values, **given)


def test_the_demo_can_be_declared() -> None:
    """Same workloads by the same names; only their order in a unit is another one."""
    ours, theirs = declared(), open_space("demo")
    refuse_inconsistent(ours)
    assert (ours.stem, ours.head, ours.tap, ours.decoder) == (theirs.stem, theirs.head, theirs.tap, theirs.decoder)
    for mine, other in zip(ours.units, theirs.units, strict=True):
        assert {c.name: c.workloads for c in mine.candidates} == {c.name: c.workloads for c in other.candidates}


def test_size_classes_and_precision_can_be_asked_for() -> None:
    space = declared(input_size=(64, 64), classes=3, precision="fp16")
    assert (space.input_size, space.classes) == ((64, 64), 3)
    assert {workload.precision for workload in space.workloads()} == {"fp16"}
    assert space.decoder.attributes == {"middle": 64, "classes": 3, "height": 64, "width": 64}


def test_a_space_may_classify_and_units_may_differ_in_candidates() -> None:
    only_where_equal = [
        entry for entry in tomllib.loads(DEMO)["candidates"] if entry.get("where") in (None, "same shape")
    ]
    space = declared({"decoder": {"operator": "classifier", "pool": 1}, "candidates": only_where_equal})
    refuse_inconsistent(space)
    assert space.tap is None
    assert set(space.sizes) == {12, 13}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"stages": []}, r"needs at least one \[\[stages\]\]"),
        ({"candidate": []}, r"does not know \['candidate'\]"),
        ({"stages": {"channels": 8}}, r"must be written as \[\[stages\]\]"),
        ({"stages": [{"channels": 8, "units": 2}]}, "a stage has channels, units and stride"),
        ({"stages": [{"channels": 8, "units": 2, "stride": "2"}]}, "whole number as stride; got '2'"),
        ({"candidates": [{"operator": "identity"}]}, "needs text as name; got None"),
        ({"candidates": [{"name": "a", "operator": "identity", "where": "here"}]}, "where is one of same shape"),
        ({"candidates": [{"name": "{a}", "operator": "identity"}]}, "names what the candidate does not have"),
        ({"candidates": [{"name": "a", "operator": "identities"}]}, "demo.toml, a: There is no operator 'identities'"),
        ({"candidates": [{"name": "a", "operator": "projection", "groups": 2}]}, "projection takes the attributes"),
        ({"candidates": [{"name": "a", "operator": "identity", "where": "same shape"}]}, "no candidate fits a unit"),
        ({"reference": "k9"}, "every unit needs the reference 'k9'; stage 1.1 has"),
        ({"input": 96}, r"needs input = \[HEIGHT, WIDTH\]"),
        ({"classes": "11"}, "whole number as classes"),
        ({"decoder": []}, r"must be written as \[decoder\]"),
        ({"decoder": {"operator": "lr_aspp", "middle": 8}}, "demo.toml, decoder: lr_aspp reads 2 inputs; got 1"),
        (
            {"decoder": {"operator": "lr_aspp", "middle": 8, "tap": 10}},
            "tap is one of 10 units, counted from 0; got 10",
        ),
        ({"stem": [{"operator": "convolution"}]}, "demo.toml, stem: convolution takes the attributes"),
    ],
)
def test_each_mistake_is_said_with_where_it_is(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(WrongUse, match=said):
        declared(changes)


def test_what_is_missing_is_said() -> None:
    values = {key: value for key, value in tomllib.loads(DEMO).items() if key not in ("stages", "reference")}
    with pytest.raises(WrongUse, match=r"lacks \['reference', 'stages'\]"):
        declared_space("demo.toml", values, None, None, "fp32")
