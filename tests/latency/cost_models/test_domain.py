"""Inside and outside of what was measured."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from latency import Workload
from latency.cost_models.domain import Domain
from tests.contracts.examples import block


def random_blocks(count: int, seed: int) -> list[Workload]:
    source = np.random.default_rng(seed)
    sizes = np.exp(source.uniform(np.log(8), np.log(128), (count, 3))).astype(int).tolist()
    return [
        block(
            channels, source=width, size=size, kernel=int(source.choice([3, 5])), expansion=int(source.choice([1, 3]))
        )
        for channels, width, size in sizes
    ]


@pytest.mark.parametrize("count", [20, 100, 1000])
def test_new_workloads_of_the_same_kind_are_nearly_all_inside(count: int) -> None:
    shares = [Domain.of(random_blocks(count, seed)).has(random_blocks(300, seed + 99)).mean() for seed in range(5)]
    assert np.mean(shares) > 0.95


def test_what_was_measured_is_inside() -> None:
    workloads = random_blocks(50, 0)
    assert Domain.of(workloads).has(workloads).all()
    assert Domain.of(workloads[:1]).has(workloads[:1]).all()


def test_larger_and_smaller_ones_are_outside() -> None:
    domain = Domain.of(random_blocks(100, 0))
    assert not domain.has([block(1024, source=1024, size=256), block(1, source=1, size=1)]).any()


def test_other_operators_precisions_and_kernels_are_outside_however_similar() -> None:
    known = random_blocks(100, 0)
    at = next(w for w in known if w.attributes["kernel"] == 3)
    others = [
        replace(at, precision="fp16"),
        replace(at, attributes={**at.attributes, "kernel": 7}),
        replace(at, attributes={**at.attributes, "dilation": 2}),
        replace(at, operator="projection", attributes={"channels": 8}),
    ]
    assert not Domain.of(known).has(others).any()
    assert np.isinf(Domain.of(known).distance(others)).all()


def test_one_lonely_workload_does_not_stretch_the_domain() -> None:
    known = random_blocks(100, 0)
    lonely = block(4096, source=4096, size=4)
    half_way = block(1024, source=1024, size=8)
    assert not Domain.of([*known, lonely]).has([half_way]).any()


def test_a_size_that_never_varied_may_vary_a_little() -> None:
    known = [block(channels, source=16, size=32) for channels in range(8, 64, 4)]
    domain = Domain.of(known)
    assert domain.has([block(30, source=16, size=33)]).all()
    assert not domain.has([block(30, source=16, size=128)]).any()


def test_no_workload_has_no_answer_and_the_domain_survives_json() -> None:
    domain = Domain.of(random_blocks(50, 0))
    assert domain.has([]).shape == (0,)
    again = Domain.from_json(json.loads(json.dumps(domain.to_json())))
    asked = random_blocks(100, 1)
    assert again.distance(asked).tolist() == domain.distance(asked).tolist()
    assert again.reach == domain.reach
