"""Searched networks side by side: trained, scored, exported and measured, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import pytest

from devices import Device, DeviceState, WrongUse
from latency import DummyProfiler, Workload, operator_of
from lut import Lookup, Table, appending, fill, in_this_process, measurable
from search import (
    BY_HAND,
    Architecture,
    Comparison,
    Images,
    LabelledImages,
    NetworkComparison,
    Objective,
    SearchRecipe,
    SearchResult,
    Space,
    TrainRecipe,
    open_space,
    spaces_of,
)
from search.compare import spread_architectures
from tests.contracts.examples import QUICK

if TYPE_CHECKING:
    from torch import nn

MakeImages = Callable[[int], LabelledImages]

FIRST = SearchResult(
    name="latency",
    space="demo",
    input_size=(32, 64),
    classes=3,
    architecture=("k3e1g1",) * 10,
    objective="latency",
    limit=0.01,
    cost=0.005,
    score=0.5,
    seed=0,
    data="patches",
    recipe=SearchRecipe().__dict__,
)
SECOND = replace(FIRST, name="macs", objective="macs", limit=5e6, architecture=("k3e1g1",) * 9 + ("skip",))
BY_HAND_MADE = replace(
    FIRST,
    name="made",
    space="mobilenetv2-0.1",
    architecture=open_space("mobilenetv2-0.1").names(Architecture("mobilenetv2-0.1", (0,) * 17)),
    strategy=BY_HAND,
)
RECIPE = TrainRecipe(steps=2, batch_size=2)
PLAN = replace(QUICK, least_bursts=2, most_bursts=2)


@pytest.fixture(scope="module")
def space() -> Space:
    return open_space("demo", (32, 64), 3)


@pytest.fixture(scope="module")
def lookup(space: Space) -> Lookup:
    """Times of a device that cannot run the reference candidate of the second unit."""
    return read(space, frozenset({space.grid[1][2][0].digest}))


def dummy(broken: frozenset[str]) -> DummyProfiler:
    return DummyProfiler(Device("cpu", "test", "x86_64"), DeviceState, broken=broken)


def read(space: Space, broken: frozenset[str]) -> Lookup:
    profiler = dummy(broken)
    table = Table(profiler.measure(workload, PLAN) for workload in measurable(space.workloads()))
    return Lookup.read(table, space.grid, space.fixed)


@pytest.fixture
def compared(
    lookup: Lookup, space: Space, patches: MakeImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Comparison]:
    pytest.importorskip("torch", reason="torch is not installed; networks are trained with it")
    # Writing the graph takes longer than all the rest and has tests of its own.
    monkeypatch.setattr("search.compare.export_onnx", lambda workload, network: workload.digest.encode())

    def compare(
        *results: SearchResult,
        references: int = 0,
        broken: frozenset[str] = frozenset(),
        beside: Mapping[str, Lookup] = MappingProxyType({}),
        device: str = "cpu",
        **more: object,
    ) -> Comparison:
        with appending(tmp_path / "table.jsonl") as writer:
            fill(writer, in_this_process(dummy(broken)), space.workloads(), PLAN)
            images = Images(patches(4), patches(3))
            start = in_this_process(dummy(broken))
            made = NetworkComparison(
                *(results, lookup, writer, start, PLAN, images, RECIPE, tmp_path, 0), beside=beside, device=device
            )
            return made.run(references, "paceline compare", **more)

    return compare


def test_every_searched_network_is_trained_scored_and_measured(
    compared: Callable[..., Comparison], space: Space, lookup: Lookup
) -> None:
    comparison = compared(FIRST, SECOND)
    assert [network.name for network in comparison.networks] == ["latency", "macs"]
    for result, network in zip((FIRST, SECOND), comparison.networks, strict=True):
        architecture = space.architecture(result.architecture)
        workload = space.network(architecture)
        macs = operator_of(workload).macs(workload)
        assert (network.macs, network.parameters) == (macs, operator_of(workload).parameters(workload))
        assert network.predicted.mean_s == pytest.approx(lookup.estimate(architecture.picks).mean_s)
        assert network.measured is not None
        assert network.measured.low_s <= network.measured.mean_s <= network.measured.high_s
        assert network.measured.mean_s == pytest.approx(1e-6 + 1e-10 * macs, rel=0.05)
        assert (network.objective, network.limit, network.trained_steps) == (result.objective, result.limit, 2)
        assert network.miou is not None
        assert 0 <= network.miou <= 1


def test_a_comparison_says_what_was_compared(
    compared: Callable[..., Comparison], space: Space, lookup: Lookup, tmp_path: Path
) -> None:
    comparison = compared(FIRST, SECOND)
    assert (comparison.space, comparison.input_size) == ("demo", (32, 64))
    np.testing.assert_array_equal(comparison.macs, space.macs)
    np.testing.assert_array_equal(comparison.latency_s, lookup.mean_s)
    assert np.isnan(comparison.latency_s[1][2])
    assert comparison.fixed_latency_s == lookup.fixed.mean_s
    assert comparison.data == "trained on patches (4 images), scored on patches (3 images)"
    assert comparison.commands == ("paceline compare",)
    assert comparison.rank_correlation is not None
    assert comparison.rank_correlation["candidates"] > 0.9
    comparison.write(tmp_path / "compare.json")
    assert repr(Comparison.read(tmp_path / "compare.json")) == repr(comparison)


def test_weights_and_graphs_are_left_under_the_names_of_the_networks(
    compared: Callable[..., Comparison], space: Space, tmp_path: Path
) -> None:
    compared(FIRST, SECOND)
    for result in (FIRST, SECOND):
        assert (tmp_path / f"{result.name}.safetensors").stat().st_size > 1000
        workload = space.network(space.architecture(result.architecture))
        assert (tmp_path / f"{result.name}.onnx").read_bytes() == workload.digest.encode()


def test_running_it_again_neither_trains_nor_measures_again(compared: Callable[..., Comparison]) -> None:
    told: list[tuple[str, int, int]] = []
    first = compared(FIRST, SECOND, tell=lambda *words: told.append(words))
    assert {("training latency", 2, 2), ("training macs", 2, 2), ("measuring whole networks", 4, 4)} <= set(told)
    told.clear()
    again = compared(FIRST, SECOND, tell=lambda *words: told.append(words))
    assert told == [("measuring whole networks", 0, 0)]
    assert again.networks == first.networks


def test_networks_are_trained_on_the_device_that_was_asked_for_and_exported_from_the_cpu(
    compared: Callable[..., Comparison], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.search.other_device import NAME, OtherDevice

    exported: list[str] = []

    def export(workload: Workload, network: nn.Module) -> bytes:
        exported.extend({tensor.device.type for tensor in network.state_dict().values()})
        return workload.digest.encode()

    monkeypatch.setattr("search.compare.export_onnx", export)
    monkeypatch.setattr("search.compare.training_device", {"cuda": NAME}.__getitem__)
    with OtherDevice() as device:
        networks = compared(FIRST, device="cuda").networks
        assert device.operations > 100
    assert exported == ["cpu"]
    assert networks[0].miou is not None


def test_reference_networks_are_measured_and_not_trained(compared: Callable[..., Comparison]) -> None:
    comparison = compared(FIRST, references=4)
    assert 3 <= len(comparison.reference_networks) <= 4
    for network in comparison.reference_networks:
        assert network.measured is not None
        assert (network.miou, network.trained_steps, network.objective, network.limit) == (None, 0, None, None)
    assert comparison.rank_correlation is not None
    assert comparison.rank_correlation["networks"] > 0.9


def test_a_network_that_could_not_be_measured_says_why(compared: Callable[..., Comparison], space: Space) -> None:
    broken = space.network(space.architecture(FIRST.architecture)).digest
    comparison = compared(FIRST, SECOND, broken=frozenset({broken}))
    assert comparison.networks[0].measured is None
    assert comparison.networks[0].failure == "load: declared broken"
    assert comparison.networks[1].measured is not None
    assert comparison.networks[1].failure is None


def test_a_network_searched_with_times_that_were_not_measured_is_a_problem(
    compared: Callable[..., Comparison],
) -> None:
    comparison = compared(replace(FIRST, note="Estimated; nothing was measured."), SECOND)
    assert comparison.problems[0] == "latency was searched with these times: Estimated; nothing was measured."
    assert not any("macs was searched" in problem for problem in comparison.problems)


def test_without_the_device_networks_are_trained_and_nothing_is_measured(
    lookup: Lookup, patches: MakeImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="torch is not installed; networks are trained with it")
    monkeypatch.setattr("search.compare.export_onnx", lambda workload, network: workload.digest.encode())
    with appending(tmp_path / "table.jsonl") as writer:
        images = Images(patches(4), patches(3))
        made = NetworkComparison([FIRST, SECOND], lookup, writer, None, PLAN, images, RECIPE, tmp_path, 0)
        comparison = made.run(3, "paceline compare", again=True)
    assert [(n.measured, n.failure) for n in comparison.networks] == [(None, None)] * 2
    assert all(network.miou is not None for network in comparison.networks)
    assert comparison.reference_networks == ()
    assert (tmp_path / "table.jsonl").read_bytes() == b""


def test_equal_networks_are_a_problem(compared: Callable[..., Comparison]) -> None:
    same = compared(FIRST, replace(FIRST, name="other"))
    assert "two of the searches returned the same network" in same.problems
    assert not [problem for problem in compared(FIRST, SECOND).problems if "same network" in problem]


@pytest.mark.parametrize("change", [{"input_size": (64, 64)}, {"classes": 4}])
def test_networks_of_different_conditions_are_not_compared(change: dict[str, object]) -> None:
    with pytest.raises(WrongUse, match="compared at one input size"):
        spaces_of([FIRST, replace(SECOND, **change)])


def test_nothing_is_not_compared() -> None:
    with pytest.raises(WrongUse, match="at one input size"):
        spaces_of([])


def test_networks_of_one_name_are_not_compared() -> None:
    with pytest.raises(WrongUse, match="need different names"):
        spaces_of([FIRST, replace(SECOND, name="latency")])


def test_the_spaces_are_those_that_they_were_searched_in() -> None:
    other, hand_made = open_space("demo", (32, 64), 3), open_space("mobilenetv2-0.1", (32, 64), 3)
    assert spaces_of([FIRST, SECOND]) == (other,)
    assert spaces_of([FIRST, BY_HAND_MADE, SECOND]) == (other, hand_made)


def test_a_hand_made_network_is_compared_beside_the_searched_ones(
    compared: Callable[..., Comparison], space: Space
) -> None:
    hand_made = open_space("mobilenetv2-0.1", (32, 64), 3)
    comparison = compared(FIRST, BY_HAND_MADE, beside={hand_made.name: read(hand_made, frozenset())})
    searched, made = comparison.networks
    assert (searched.space, made.space) == ("demo", "mobilenetv2-0.1")
    assert made.measured is not None
    assert made.miou is not None
    assert (made.objective, made.limit) == (None, None)
    workload = hand_made.network(hand_made.architecture(made.architecture))
    assert made.macs == operator_of(workload).macs(workload)
    assert comparison.own_networks == (searched,)
    assert comparison.space == "demo"
    assert len(comparison.candidates) == len(space.units)


def test_the_times_of_every_space_are_needed(compared: Callable[..., Comparison]) -> None:
    with pytest.raises(WrongUse, match=r"mobilenetv2-0\.1 need latencies"):
        compared(FIRST, BY_HAND_MADE)


def test_references_spread_from_the_fastest_to_random_and_leave_out_what_failed(space: Space, lookup: Lookup) -> None:
    drawn = spread_architectures(space, lookup, 40, seed=0)
    assert drawn == spread_architectures(space, lookup, 40, seed=0)
    assert len(set(drawn)) == len(drawn) > 30
    assert all(architecture.picks[1] != 2 for architecture in drawn)
    fastest = np.array(Objective.latency(space, lookup).cheapest())
    replaced = [(np.array(architecture.picks) != fastest).mean() for architecture in drawn]
    assert np.mean(replaced[:10]) < 0.4 < 0.7 < np.mean(replaced[-10:])
    assert spread_architectures(space, lookup, 0, seed=0) == []
