from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from devices import WrongUse
from latency.architecture_models.architecture_model import fit_architectures
from search.known_architectures.fbnet import CANDIDATES, UNITS, FbnetPicks

DATA = (
    Path(os.environ.get("PACELINE_DATA") or Path(__file__).resolve().parents[4] / "shared" / "data")
    / "fbnet_cifar100.npz"
)
PICKS = np.random.default_rng(0).integers(CANDIDATES, size=(5, UNITS))

needs_data = pytest.mark.skipif(
    not DATA.exists(), reason=f"{DATA.name} is not there; set PACELINE_DATA to the folder that holds it"
)


def test_each_unit_has_one_pick_and_all_are_counted() -> None:
    codes = FbnetPicks.codes(PICKS)
    assert codes.main == UNITS * CANDIDATES
    assert (codes.values[:, : codes.main].sum(axis=1) == UNITS).all()
    assert codes.values[0, codes.main :].tolist() == np.bincount(PICKS[0], minlength=CANDIDATES).tolist()


def test_a_candidate_that_there_is_not_is_refused_by_row() -> None:
    wrong = PICKS.copy()
    wrong[3, 4] = 9
    with pytest.raises(WrongUse, match="3: 'candidate is 9 at place 4"):
        FbnetPicks.codes(wrong)


def test_rows_of_a_file_are_kept_or_said(tmp_path: Path) -> None:
    file = tmp_path / "fbnet.npz"
    picks = PICKS.copy()
    picks[1, 0], picks[4] = -1, picks[0]
    np.savez(file, **{"arch": picks, "op_names": np.array(["k"] * 9), "latency_ms/a": np.array([3.0, 4, -1, 5, 6])})
    measured = FbnetPicks.read(file)
    assert list(measured.problems) == [1, 2, 4]
    assert measured.time_s["a"].tolist() == [0.003, 0.005]


def test_a_file_with_other_candidates_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "fbnet.npz"
    np.savez(file, **{"arch": PICKS, "op_names": np.array(["k"] * 7), "latency_ms/a": np.ones(5)})
    with pytest.raises(WrongUse, match="9 candidates in op_names; got 7"):
        FbnetPicks.read(file)


@needs_data
@pytest.mark.parametrize("device", ["eyeriss", "fpga", "pixel3", "raspi4"])
def test_the_additive_tables_are_recovered_from_a_few_networks(device: str) -> None:
    codes, time_s, _ = FbnetPicks.read(DATA).of(device)
    model = fit_architectures(codes[:300], time_s[:300])
    assert model.form == "sum"
    assert np.abs(model.estimate(codes[300:]).mean_s / time_s[300:] - 1).max() < 1e-9


@needs_data
def test_a_measured_device_is_predicted_better_than_by_a_plain_sum() -> None:
    codes, time_s, order = FbnetPicks.read(DATA).of("samsung_a50")
    model = fit_architectures(codes[:400], time_s[:400], order[:400])
    assert model.form == "grouped"
    assert model.left_out["grouped"] < 0.9 * model.left_out["additive"]
