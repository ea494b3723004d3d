"""Boosted trees on a device that is made up: a roofline, with another algorithm for some kernels and paid for tiles."""

from __future__ import annotations

import itertools
import json

import numpy as np
import numpy.typing as npt
import pytest

from devices import WrongUse
from latency import Workload
from latency.cost_models.boosted_trees import BoostedTrees, _scale, _Split
from latency.cost_models.cost_model import Timings
from latency.cost_models.features import features
from latency.cost_models.neighbours import Coordinates
from tests.contracts.cost_model_contract import CostModelContract
from tests.contracts.examples import block

Array = npt.NDArray[np.float64]


class TestBoostedTrees(CostModelContract):
    kind = BoostedTrees


def kernels() -> list[Workload]:
    """A grid of 2 160 convolutions."""
    grid = itertools.product(
        (8, 16, 32, 64, 96, 128), (16, 32, 48, 64, 128), (7, 14, 28, 56), (1, 3, 5), (1, 2), (1, 8, 32)
    )
    return [
        Workload(
            "grouped_convolution",
            ((source, size, size),),
            {"channels": channels, "kernel": kernel, "stride": stride, "groups": 1},
            batch=batch,
        )
        for source, channels, size, kernel, stride, batch in grid
    ]


def times_s(workloads: list[Workload], noise: float = 0.01) -> Array:
    found = features(workloads)
    tiles = np.ceil(np.exp(found["tiles_64x64"]) / 20) * np.exp(found["mean_terms"])
    is_winograd = np.array([w.attributes["kernel"] == 3 and w.attributes["stride"] == 1 for w in workloads])
    compute_s = tiles * 20 * 64 * 64 / 1e12 / np.where(is_winograd, 2.25, 1)
    exact_s = 5e-6 + np.maximum(compute_s, np.exp(found["moved_bytes"]) / 5e11)
    return exact_s * np.exp(noise * np.random.default_rng(0).standard_normal(len(exact_s)))


def timings(workloads: list[Workload], time_s: Array) -> Timings:
    return Timings(tuple(workloads), time_s, np.full(len(time_s), np.nan))


@pytest.fixture(scope="module")
def table() -> Timings:
    workloads = kernels()
    return timings(workloads, times_s(workloads))


@pytest.fixture(scope="module")
def asked(table: Timings) -> npt.NDArray[np.intp]:
    return np.random.default_rng(1).permutation(len(table))[:1300]


@pytest.fixture(scope="module")
def learned(table: Timings, asked: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    return np.setdiff1d(np.arange(len(table)), asked)


@pytest.fixture(scope="module")
def model(table: Timings, learned: npt.NDArray[np.intp]) -> BoostedTrees:
    return BoostedTrees().fit(table[learned])


def test_kernels_that_were_not_measured_are_estimated_well(
    model: BoostedTrees, table: Timings, asked: npt.NDArray[np.intp]
) -> None:
    estimates = model.estimate(table[asked].workloads)
    errors = np.abs(estimates.mean_s / table[asked].time_s - 1)
    assert np.median(errors) < 0.05
    assert errors.mean() < 0.09


def test_intervals_cover_nine_tenths_or_somewhat_more(
    model: BoostedTrees, table: Timings, asked: npt.NDArray[np.intp]
) -> None:
    low_s, high_s = model.estimate(table[asked].workloads).interval_s(0.9)
    time_s = table[asked].time_s
    assert 0.88 < np.mean((low_s <= time_s) & (time_s <= high_s)) < 0.98


def test_it_knows_where_it_is_less_sure(model: BoostedTrees, table: Timings, asked: npt.NDArray[np.intp]) -> None:
    estimates = model.estimate(table[asked].workloads)
    errors = np.abs(estimates.mean_s / table[asked].time_s - 1)
    order = np.argsort(estimates.standard_deviation_s / estimates.mean_s)
    surest, least_sure = errors[order[:400]].mean(), errors[order[-400:]].mean()
    assert least_sure > 1.3 * surest


def test_a_file_gives_back_every_bit(model: BoostedTrees, table: Timings, asked: npt.NDArray[np.intp]) -> None:
    again = BoostedTrees.from_json(json.loads(json.dumps(model.to_json(), allow_nan=False)))
    few = table[asked[:100]].workloads
    before, after = model.estimate(few), again.estimate(few)
    assert after.mean_s.tolist() == before.mean_s.tolist()
    assert after.standard_deviation_s.tolist() == before.standard_deviation_s.tolist()


def test_a_workload_is_estimated_alone_as_among_others(
    model: BoostedTrees, table: Timings, asked: npt.NDArray[np.intp]
) -> None:
    few = table[asked[:50]].workloads
    assert model.estimate(few[7:8]).mean_s[0] == model.estimate(few).mean_s[7]


def test_of_many_rows_some_and_some_whole_families_are_set_aside() -> None:
    at = Coordinates.of(kernels() * 2)  # 30 families of 144 rows
    split, family = _Split.of(at), at.families()
    together = np.concatenate([split.learn, split.rows, split.families])
    assert sorted(together.tolist()) == list(range(len(at)))
    assert len(split.rows) == int(0.03 * len(at))
    assert len(split.families) == 2 * 144
    assert not set(family[split.families]) & set(family[split.learn])


def test_of_few_rows_none_is_set_aside() -> None:
    split = _Split.of(Coordinates.of(kernels()))
    assert (len(split.rows), len(split.families)) == (0, 0)


NONE = np.zeros(0, dtype=np.intp)


def test_deviations_are_scaled_by_what_rows_with_as_many_neighbours_show() -> None:
    scores, neighbours = (
        np.concatenate([np.linspace(0, 2, 201), np.linspace(0, 6, 101)]),
        np.repeat([8.0, 3.0], [201, 101]),
    )
    scale = _scale(scores, neighbours, _Split(NONE, np.arange(201), np.arange(201, 302)))
    assert scale(np.array([2.0, 5.0, 6.0, 9.0])).tolist() == [scale.lonely, scale.lonely, scale.usual, scale.usual]
    assert 1.645 * scale.usual == pytest.approx(1.8, abs=0.03)
    assert 1.645 * scale.lonely == pytest.approx(5.4, abs=0.1)


def test_fewer_neighbours_never_make_surer() -> None:
    scores, neighbours = (
        np.concatenate([np.linspace(0, 2, 201), np.linspace(0, 1, 101)]),
        np.repeat([8.0, 3.0], [201, 101]),
    )
    scale = _scale(scores, neighbours, _Split(NONE, np.arange(201), np.arange(201, 302)))
    assert scale.lonely == scale.usual


@pytest.fixture(scope="module")
def blocks() -> list[Workload]:
    grid = itertools.product((8, 16, 24), (8, 16, 32), (3, 5), (1, 3, 6), (1, 2))
    return [block(c, source=s, kernel=k, expansion=e, stride=t, size=28) for s, c, k, e, t in grid]


def test_a_small_table_of_blocks_is_enough_to_beat_the_mean_by_far(blocks: list[Workload]) -> None:
    time_s = 1e-6 + np.exp(features(blocks)["macs"]) / 1e10
    learn, ask = np.arange(len(blocks)) % 4 != 1, np.arange(len(blocks)) % 4 == 1
    model = BoostedTrees().fit(timings([b for b, yes in zip(blocks, learn, strict=True) if yes], time_s[learn]))
    estimates = model.estimate([b for b, yes in zip(blocks, ask, strict=True) if yes])
    assert np.abs(estimates.mean_s / time_s[ask] - 1).mean() < 0.1


def test_times_in_another_unit_give_estimates_in_that_unit(blocks: list[Workload]) -> None:
    time_s = times_s(kernels())[: len(blocks)]
    plain = BoostedTrees().fit(timings(blocks, time_s)).estimate(blocks)
    larger = BoostedTrees().fit(timings(blocks, 1000 * time_s)).estimate(blocks)
    np.testing.assert_allclose(larger.mean_s, 1000 * plain.mean_s, rtol=1e-6)
    np.testing.assert_allclose(larger.standard_deviation_s, 1000 * plain.standard_deviation_s, rtol=1e-6)


def test_repeated_measurements_count_once_with_their_mean(blocks: list[Workload]) -> None:
    time_s = np.linspace(1e-3, 2e-3, len(blocks))
    once = BoostedTrees().fit(timings(blocks, time_s)).estimate(blocks)
    twice = timings([*blocks, *blocks], np.concatenate([time_s * 1.1, time_s / 1.1]))
    np.testing.assert_allclose(BoostedTrees().fit(twice).estimate(blocks).mean_s, once.mean_s, rtol=1e-6)


def test_too_few_points_are_refused() -> None:
    few = [block(channels) for channels in range(1, 20)]
    with pytest.raises(WrongUse, match="needs at least 30"):
        BoostedTrees().fit(timings(few, np.ones(len(few))))
