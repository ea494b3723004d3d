"""Samples of one process: what they say, what they cost, and what is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import DeviceState, WrongUse
from latency import Burst, Costs
from tests.contracts.examples import burst

"""No verdict hangs on how busy the machine is."""

POSITIVE = st.floats(1e-9, 1e3)


@given(st.lists(POSITIVE, min_size=1, max_size=30), st.none() | POSITIVE, st.booleans(), st.integers(0, 9))
def test_a_burst_survives_json_to_the_last_bit(
    samples: list[float], sentinel_s: float | None, disturbed: bool, discarded: int
) -> None:
    costs = Costs(peak_memory_bytes=2**33, energy_j=samples[0])
    taken = burst(
        samples_s=tuple(samples),
        sentinel_s=sentinel_s,
        disturbed=disturbed,
        discarded=discarded,
        process="71-a",
        costs=costs,
        before=DeviceState(load_1min=0.1, throttle_count=0),
        after=DeviceState(temperature_c=50.0),
    )
    again = Burst.from_json(json.loads(json.dumps(taken.to_json())))
    assert again == taken
    assert again.to_json() == taken.to_json()


def test_what_is_empty_is_not_written() -> None:
    assert set(burst().to_json()) == {"samples_s", "calls_per_sample", "stopped", "before", "after", "measured_at"}


def test_a_stored_burst_without_what_it_must_have_is_refused() -> None:
    for name in burst().to_json():
        values = burst().to_json()
        del values[name]
        with pytest.raises(KeyError, match=name):
            Burst.from_json(values)


def test_its_time_is_the_lower_quartile_of_its_samples() -> None:
    samples = tuple(np.random.default_rng(1).lognormal(0, 0.1, 25))
    assert burst(samples_s=samples).time_s == pytest.approx(np.quantile(samples, 0.25), rel=1e-12)


@pytest.mark.parametrize(
    "changes",
    [
        {"samples_s": ()},
        {"samples_s": (1.0, 0.0)},
        {"samples_s": (1.0, -1.0)},
        {"samples_s": (1.0, math.inf)},
        {"samples_s": (1.0, math.nan)},
        {"calls_per_sample": 0},
        {"discarded": -1},
        {"sentinel_s": 0.0},
        {"sentinel_s": -1.0},
        {"sentinel_s": math.nan},
        {"sentinel_s": math.inf},
    ],
    ids=str,
)
def test_a_burst_that_is_no_measurement_is_refused_with_its_values(changes: dict[str, Any]) -> None:
    with pytest.raises(WrongUse, match="finite numbers above 0 s") as caught:
        burst(**changes)
    (value,) = changes.values()
    shown = f"{len(value)} samples" if isinstance(value, tuple) else str(value)
    assert shown in str(caught.value)


@pytest.mark.parametrize("name", ["peak_memory_bytes", "energy_j", "enqueue_s"])
@pytest.mark.parametrize("value", [0, -1, math.inf, math.nan])
def test_a_cost_is_a_positive_number_or_unknown(name: str, value: float) -> None:
    with pytest.raises(WrongUse, match=f"got {name} = {value}"):
        Costs(**{name: value})  # type: ignore[arg-type] # one of several fields, of several types


def test_unknown_costs_are_not_written() -> None:
    assert Costs().to_json() == {}
    assert Costs(enqueue_s=1e-5).to_json() == {"enqueue_s": 1e-5}
