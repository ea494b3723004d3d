"""Neighbours on the grid of what was measured."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pytest

from latency import Workload
from latency.cost_models.neighbours import NO_NEIGHBOUR, Coordinates, Neighbours


def convolution(
    source: int = 32, size: int = 16, batch: int = 1, operator: str = "grouped_convolution", **changes: int
) -> Workload:
    attributes = {"channels": 64, "kernel": 3, "stride": 1, "groups": 1, **changes}
    return Workload(operator, ((source, size, size),), attributes, batch=batch)


def among(known: list[Workload], asked: Workload) -> Mapping[str, list[int]]:
    """Indices below and above, by axis, where there are any."""
    at = Coordinates.of(known)
    found = Neighbours.among(at, Coordinates.of([asked], at.attributes)).indices
    return {name: rows[0].tolist() for name, rows in found.items() if (rows != NO_NEIGHBOUR).any()}


@pytest.mark.parametrize(
    ("axis", "name"),
    [
        ("source", "source"),
        ("size", "size"),
        ("batch", "batch"),
        ("channels", "channels"),
        ("kernel", "kernel"),
        ("stride", "stride"),
    ],
)
def test_the_nearest_on_either_side_are_found_along_each_axis(axis: str, name: str) -> None:
    known = [convolution(**{name: value}) for value in (3, 48, 9, 27, 96)]
    assert among(known, convolution(**{name: 30})) == {axis: [3, 1]}
    assert among(known, convolution(**{name: 2})) == {axis: [NO_NEIGHBOUR, 0]}
    assert among(known, convolution(**{name: 100})) == {axis: [4, NO_NEIGHBOUR]}


def test_what_differs_in_two_respects_is_no_neighbour() -> None:
    assert among([convolution(16, 8)], convolution(32, 16)) == {}


def test_nothing_is_its_own_neighbour() -> None:
    known = [convolution(source) for source in (8, 16, 32)]
    assert among(known, convolution(16))["source"] == [0, 2]


def test_images_of_another_aspect_are_no_neighbours_along_their_size() -> None:
    wide = Workload("grouped_convolution", ((32, 8, 16),), convolution().attributes)
    assert "size" not in among([wide], convolution())
    double = Workload("grouped_convolution", ((32, 16, 32),), convolution().attributes)
    assert among([wide], double) == {"size": [0, NO_NEIGHBOUR]}


def test_a_wider_depthwise_convolution_is_a_neighbour_because_all_its_channels_grow() -> None:
    known = [convolution(channels, channels=channels, groups=channels) for channels in (16, 64)]
    assert among(known, convolution(32, channels=32, groups=32)) == {"width_of_network": [0, 1]}
    dense = [convolution(channels, channels=2 * channels) for channels in (16, 64)]
    assert among(dense, convolution(32, channels=64)) == {"width_of_network": [0, 1]}


def test_the_same_with_a_fused_sum_is_a_neighbour() -> None:
    fused = Workload("residual_convolution", ((32, 16, 16), (64, 16, 16)), convolution().attributes)
    assert list(among([fused], convolution())) == ["operator"]


def test_another_precision_or_text_is_no_neighbour() -> None:
    half = Workload("grouped_convolution", ((32, 8, 8),), convolution().attributes, "fp16")
    assert among([half], convolution()) == {}
    named = [Workload("x", ((8, 4, 4),), {"act": "relu", "n": 1})]
    assert among(named, Workload("x", ((8, 4, 4),), {"act": "relu", "n": 2})) == {"n": [0, NO_NEIGHBOUR]}
    assert among(named, Workload("x", ((8, 4, 4),), {"act": "tanh", "n": 2})) == {}


def test_errors_on_a_line_are_interpolated_exactly() -> None:
    known = Coordinates.of([convolution(source) for source in (8, 64)])
    found = Neighbours.among(known, Coordinates.of([convolution(16)], known.attributes))
    columns = found.columns(np.log(np.array([8.0, 64.0])))[0]
    assert next(iter(found.indices)) == "operator"  # Two columns, because there is no line; three for the others.
    at = 2 + 3 * (list(found.indices).index("source") - 1)
    assert columns[at : at + 3] == pytest.approx(np.log([8, 64, 16]))
    mean, median, least, greatest, count = columns[-5:]
    assert [mean, median, least, greatest] == pytest.approx([np.log(16)] * 4)
    assert count == 1


def test_without_neighbours_nothing_is_said() -> None:
    known = Coordinates.of([convolution()])
    columns = Neighbours.among(known, known).columns(np.array([0.5]))
    assert np.isnan(columns[:, :-1]).all()
    assert columns[:, -1].tolist() == [0]


def test_coordinates_survive_a_file() -> None:
    known = Coordinates.of([convolution(), Workload("projection", ((8, 4, 4),), {"channels": 12})])
    again = Coordinates.from_json(json.loads(json.dumps(known.to_json(), allow_nan=False)))
    assert again.names == known.names
    np.testing.assert_array_equal(again.values, known.values)
    assert np.isnan(again["kernel"]).tolist() == [False, True]


def test_a_family_has_the_same_channels() -> None:
    known = [convolution(8), convolution(8, 4, kernel=5), convolution(16), convolution(8, channels=65)]
    first, second, *others = Coordinates.of(known).families().tolist()
    assert first == second
    assert len({first, *others}) == 3
