"""A comparison like a real one, and a small one for what needs many pages."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from search import Comparison, Interval, NetworkResult

KINDS = [(kernel, dilation) for kernel, dilation in ((3, 1), (5, 1), (3, 2))]
VARIANTS = [(1, 1), (1, 2), (3, 1), (6, 1)]
BLOCKS = [
    f"k{kernel}e{expansion}g{groups}" + ("d2" if dilation == 2 else "")
    for kernel, dilation in KINDS
    for expansion, groups in VARIANTS
]
NAMES = (*BLOCKS, "skip")


def candidate_macs(unit: int, candidate: int, stage: int) -> int:
    if NAMES[candidate] == "skip":
        return 0 if unit else 5_000_000
    expansion, groups = VARIANTS[candidate % 4]
    kernel = KINDS[candidate // 4][0]
    return int(12e6 * expansion / groups * (1 + kernel / 20) * (1 + 0.4 * stage) * (1.3 if unit == 0 else 1))


def candidate_latency_s(macs: int, candidate: int) -> float:
    if macs == 0:
        return 0.0
    kernel, dilation = KINDS[min(candidate // 4, 2)]
    return macs / 2e11 * (1 + 0.3 * (kernel == 5) + 0.6 * (dilation == 2)) + 4e-5


def make_comparison(stages: int, units: int) -> Comparison:
    places = [(stage, unit) for stage in range(stages) for unit in range(units)]
    macs = tuple(tuple(candidate_macs(unit, column, stage) for column in range(13)) for stage, unit in places)
    latency = tuple(tuple(candidate_latency_s(value, column) for column, value in enumerate(row)) for row in macs)
    picks = [[(3 * row + 5 * shift) % 13 for row in range(len(places))] for shift in range(6)]
    return Comparison(
        created_at="2025-03-04T10:11:12Z",
        device={"name": "Jetson AGX Xavier", "serial": None, "power_mode": "MAXN"},
        runtime={"name": "tensorrt", "version": "8.5.2"},
        space="squeezenas-small",
        input_size=(512, 1024),
        candidates=(NAMES,) * len(places),
        unit_names=tuple(f"stage {stage + 1}.{unit + 1}" for stage, unit in places),
        macs=macs,
        latency_s=latency,
        fixed_macs=900_000_000,
        fixed_latency_s=0.0042,
        data="Cityscapes fine, 500 validation images",
        networks=(
            make_network("latency-searched", picks[0], 0.0274, objective="latency", limit=0.030, miou=0.6802),
            make_network("macs-searched", picks[1], 0.0305, objective="macs", limit=4e9, miou=0.6718),
        ),
        reference_networks=tuple(
            make_network(f"random-{index}", picks[2 + index], 0.024 + 0.003 * index) for index in range(4)
        ),
        rank_correlation={"candidates": 0.93, "networks": 0.71},
        commands=("paceline search --limit 30ms", "paceline compare --out xavier.json"),
    )


def make_network(
    name: str,
    picks: list[int],
    measured_s: float,
    objective: str | None = None,
    limit: float | None = None,
    miou: float | None = None,
) -> NetworkResult:
    predicted_s = 0.98 * measured_s
    return NetworkResult(
        name=name,
        architecture=tuple(NAMES[pick] for pick in picks),
        macs=3_912_000_000,
        parameters=1_870_000,
        predicted=Interval(predicted_s, 0.97 * predicted_s, 1.03 * predicted_s),
        measured=Interval(measured_s, measured_s - 0.0002, measured_s + 0.0002),
        objective=objective,
        limit=limit,
        miou=miou,
        class_iou=None if miou is None else {"road": miou + 0.2, "pole": miou - 0.3},
        trained_steps=0 if miou is None else 40_000,
    )


@pytest.fixture
def comparison() -> Comparison:
    """20 units by 13 candidates, both networks measured and trained."""
    return make_comparison(stages=5, units=4)


@pytest.fixture
def small() -> Comparison:
    """Four units; draws fast."""
    return make_comparison(stages=2, units=2)


@pytest.fixture
def gap(small: Comparison) -> Comparison:
    """The small one without the latency of one candidate."""
    first, *rest = small.latency_s
    return replace(small, latency_s=((math.nan, *first[1:]), *rest))
