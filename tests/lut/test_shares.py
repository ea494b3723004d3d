"""Who measures what: a common subset over the whole range, and shares that are alike."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest

from latency import SamplingPlan, Workload, operator_of
from lut.shares import balanced_shares, common_count, common_subset
from search import open_space
from tests.contracts.examples import block

WORKLOADS = tuple(w for w in open_space("squeezenas-small", (64, 128)).workloads() if not operator_of(w).is_free)
HOSTS = ("a", "b", "c")


def macs(workload: Workload) -> int:
    return operator_of(workload).macs(workload)


def test_a_dozen_workloads_are_common_and_more_where_times_are_known_badly_or_little_is_tolerated() -> None:
    plan = SamplingPlan()
    assert common_count(plan, 0.02) == 12
    assert common_count(replace(plan, precision=0.05), 0.02) == 54
    assert common_count(plan, 0.01) == 24


def test_so_many_common_workloads_show_half_the_tolerance() -> None:
    draw = random.Random(1)
    plan, tolerance = replace(SamplingPlan(), precision=0.03), 0.02
    count = common_count(plan, tolerance)
    spread = math.sqrt(2 * (plan.precision / 1.96) ** 2 + 0.01**2)
    errors = [abs(sum(draw.gauss(0, spread) for _ in range(count)) / count) for _ in range(2000)]
    assert 0.93 < sum(error <= tolerance / 2 for error in errors) / 2000 < 0.97


def test_the_common_subset_spans_the_range_and_is_the_same_for_the_same_seed() -> None:
    chosen = common_subset(WORKLOADS, 12, 0)
    assert len(set(chosen)) == 12
    order = sorted(map(macs, WORKLOADS))
    ninth = len(order) // 9
    assert min(map(macs, chosen)) <= order[ninth]
    assert max(map(macs, chosen)) >= order[-ninth]
    shuffled = list(WORKLOADS)
    random.Random(3).shuffle(shuffled)
    assert common_subset(shuffled, 12, 0) == chosen
    assert common_subset(WORKLOADS, 12, 1) != chosen


@pytest.mark.parametrize("count", [0, 3, 5])
def test_of_few_workloads_all_are_common(count: int) -> None:
    few = WORKLOADS[:3]
    assert set(common_subset(few, count, 0)) == (set(few) if count else set())
    assert common_subset([], count, 0) == ()


def test_shares_are_a_partition_alike_in_number_and_in_work() -> None:
    shares = balanced_shares(WORKLOADS, HOSTS, {}, 0)
    assert sorted(w.digest for share in shares.values() for w in share) == sorted(w.digest for w in WORKLOADS)
    work = [sum(map(macs, share)) for share in shares.values()]
    sizes = [len(share) for share in shares.values()]
    assert max(work) / min(work) < 1.1
    assert max(sizes) - min(sizes) <= len(WORKLOADS) / 10
    assert balanced_shares(WORKLOADS, HOSTS, {}, 0) == shares


def test_who_has_begun_goes_on_and_counts_as_busy() -> None:
    alike = [block(8, kernel=kernel) for kernel in (3,)] * 1 + [block(8, expansion=e) for e in (1, 2, 4, 5)]
    begun = dict.fromkeys(alike[:2], "b")
    shares = balanced_shares(alike, ("a", "b"), begun, 0)
    assert set(alike[:2]) <= set(shares["b"])
    assert len(shares["a"]) >= 2
    gone = balanced_shares(alike, ("a", "c"), begun, 0)
    assert sum(map(len, gone.values())) == len(alike)


def test_without_work_shares_are_empty() -> None:
    assert balanced_shares([], HOSTS, {}, 0) == {"a": [], "b": [], "c": []}
