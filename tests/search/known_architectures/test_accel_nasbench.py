from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from devices import WrongUse
from search.known_architectures.accel_nasbench import BLOCKS, COLUMNS, AccelNasBench

DATA = (
    Path(os.environ.get("PACELINE_DATA") or Path(__file__).resolve().parents[4] / "shared" / "data")
    / "accel_nasbench.npz"
)

needs_data = pytest.mark.skipif(
    not DATA.exists(), reason=f"{DATA.name} is not there; set PACELINE_DATA to the folder that holds it"
)


def values(count: int = 4) -> np.ndarray:
    rng = np.random.default_rng(0)
    choices = ((1, 4, 6), (3, 5), (1, 2, 3), (0, 1))
    return np.stack([rng.choice(choices[place % 4], size=count) for place in range(len(COLUMNS))], axis=1)


def write(file: Path, arch: np.ndarray, **perf: np.ndarray) -> Path:
    np.savez(file, arch=arch, columns=np.array(COLUMNS), **{f"perf/{name}": times for name, times in perf.items()})
    return file


def test_choices_and_blocks_are_coded_one_each() -> None:
    codes = AccelNasBench.codes(values())
    assert (codes.values[:, : codes.main].sum(axis=1) == len(COLUMNS)).all()
    assert (codes.values[:, codes.main :].sum(axis=1) == BLOCKS).all()


def test_blocks_are_alike_only_when_all_four_choices_are() -> None:
    arch = np.repeat(values(1), 2, axis=0)
    arch[1, 3] = 1 - arch[0, 3]
    blocks = AccelNasBench.codes(arch).values[:, AccelNasBench.codes(arch).main :]
    assert np.flatnonzero(blocks[0] != blocks[1]).size == 2


def test_a_value_that_the_space_has_not_is_refused_by_row() -> None:
    wrong = values()
    wrong[1, 4] = 3
    with pytest.raises(WrongUse, match="1: 'expansion is 3 at place 1"):
        AccelNasBench.codes(wrong)


def test_throughput_is_time_per_image_under_its_own_name(tmp_path: Path) -> None:
    perf = {"latency_a": np.array([2.0, np.nan, 4, 5]), "throughput_b": np.array([100.0, 200, 0, np.nan])}
    measured = AccelNasBench.read(write(tmp_path / "accel.npz", values(), **perf))
    assert measured.of("latency_a")[1].tolist() == [0.002, 0.004, 0.005]
    assert measured.of("throughput_b")[1].tolist() == [0.01, 0.005]


def test_columns_in_another_order_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "accel.npz"
    np.savez(file, **{"arch": values(), "columns": np.array(COLUMNS[::-1]), "perf/latency_a": np.ones(4)})
    with pytest.raises(WrongUse, match="in this order"):
        AccelNasBench.read(file)


@needs_data
def test_the_repeated_architectures_of_the_real_file_are_found() -> None:
    measured = AccelNasBench.read(DATA)
    assert len(measured.problems) == 13
    assert all("the same architecture as row" in reason for reason in measured.problems.values())
    assert len(measured.of("throughput_tpuv3")[0]) < len(measured.codes) == len(measured.row)
