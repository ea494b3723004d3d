from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from devices import WrongUse
from latency.architecture_models.forms import AdditiveForm
from latency.architecture_models.grouped_regression import grouped_fit
from search.known_architectures.ofa import OfaMobileNetV3

DATA = Path(os.environ.get("PACELINE_DATA") or Path(__file__).resolve().parents[4] / "shared" / "data") / "ofa_mbv3.npz"

needs_data = pytest.mark.skipif(
    not DATA.exists(), reason=f"{DATA.name} is not there; set PACELINE_DATA to the folder that holds it"
)


def parts(count: int = 3) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    sizes = (((3, 5, 7), 20), ((3, 4, 6), 20), ((2, 3, 4), 5), ((128, 176, 224), 1))
    return [rng.choice(values, size=(count, columns)) for values, columns in sizes]


def test_layers_beyond_the_depth_leave_no_trace() -> None:
    kernels, expansions, depths, resolution = parts()
    depths[:] = 2
    first = OfaMobileNetV3.codes(kernels, expansions, depths, resolution)
    kernels[:, 3], expansions[:, 2] = 7, 6
    kernels[:, 19] = 99  # Nobody looks at what does not run.
    second = OfaMobileNetV3.codes(kernels, expansions, depths, resolution)
    assert np.array_equal(first.values, second.values)
    layers = first.values[:, [group == "layer" for group in first.groups]]
    assert (layers.sum(axis=1) == depths.sum(axis=1)).all()


def test_stages_count_their_layers_and_areas_scale_them() -> None:
    codes = OfaMobileNetV3.codes(*parts())
    by_group = {name: codes.values[:, [group == name for group in codes.groups]] for name in codes.groups}
    assert by_group["stage"].sum() == by_group["layer"].sum()
    area = (parts()[3] / 224) ** 2
    assert np.allclose(by_group["layer by area"], by_group["layer"] * area)
    assert codes.main == 20 * 9 + 25


@pytest.mark.parametrize(("part", "value", "said"), [(0, 4, "kernel"), (1, 5, "expansion"), (2, 1, "depth")])
def test_values_that_the_space_has_not_are_refused_by_row(part: int, value: int, said: str) -> None:
    wrong = parts()
    wrong[part][2, 0] = value
    with pytest.raises(WrongUse, match=f"2: '{said} is {value} at place 0"):
        OfaMobileNetV3.codes(*wrong)


def test_two_rows_that_differ_in_what_does_not_run_are_the_same_architecture(tmp_path: Path) -> None:
    kernels, expansions, depths, resolution = (np.repeat(part[:1], 2, axis=0) for part in parts())
    depths[:] = 2
    kernels[1, 2:4] = 3, 7
    kernels[0, 2:4] = 5, 5
    file = tmp_path / "ofa.npz"
    np.savez(file, **{"ks": kernels, "e": expansions, "d": depths, "r": resolution, "latency_ms/a_1": np.ones(2)})
    assert OfaMobileNetV3.read(file).problems == {1: "the same architecture as row 0"}


@needs_data
def test_resolution_and_layers_work_together() -> None:
    codes, time_s, _ = OfaMobileNetV3.read(DATA).of("titan_rtx_64")
    seen, seen_s, held, held_s = codes[:300], time_s[:300], codes[300:1300], time_s[300:1300]
    fits = [grouped_fit(seen, seen_s, None), AdditiveForm(seen, seen_s).fit(seen, seen_s, None)]
    ours, additive = (np.sqrt(np.mean((fit.mean_s(held.values) / held_s - 1) ** 2)) for fit in fits)
    assert ours < 0.03
    assert ours < 0.4 * additive
