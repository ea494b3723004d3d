from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from devices import WrongUse
from latency.architecture_models.codes import ArchitectureCodes, one_hot
from search.known_architectures.measured import MeasuredArchitectures, latencies_s, matrix, outside, read_arrays

PICKS = np.array([[0, 1], [1, 1], [0, 1], [1, 0], [0, 0]])
CODES = ArchitectureCodes.of({"pick": one_hot(PICKS, 2)})


def checked(*times_s: list[float], problems: dict[int, str] | None = None) -> MeasuredArchitectures:
    by_device = {f"device{i}": np.array(times) for i, times in enumerate(times_s)}
    return MeasuredArchitectures.checked(CODES, by_device, PICKS, problems or {})


def test_repeated_architectures_are_left_out_and_said_by_row() -> None:
    found = checked([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found.problems == {2: "the same architecture as row 0"}
    assert found.row.tolist() == [0, 1, 3, 4]
    assert found.time_s["device0"].tolist() == [1, 2, 4, 5]


def test_failures_written_as_numbers_are_missing_and_never_times() -> None:
    found = checked([1.0, -1.0, 3.0, 0.0, np.inf], [1.0, 2.0, 3.0, np.nan, 5.0])
    assert found.problems[3] == "no device has a latency above 0 s for it"
    codes, time_s, order = found.of("device0")
    assert (time_s.tolist(), order.tolist()) == ([1.0], [0.0])
    assert len(codes) == 1
    assert found.of("device1")[2].tolist() == [0, 1, 4]
    assert "2 latencies missing; 2 rows left out" in found.describe()


def test_what_is_wrong_already_stays_wrong() -> None:
    found = checked([1.0] * 5, problems={2: "candidate is 9"})
    assert found.problems == {2: "candidate is 9"}


def test_a_file_without_a_usable_row_is_refused() -> None:
    with pytest.raises(WrongUse, match="none of 5 is"):
        checked([-1.0] * 5)


def test_a_device_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(WrongUse, match="one of device0; got 'xavier'"):
        checked([1.0] * 5).of("xavier")


def test_a_clock_of_whole_milliseconds_is_said() -> None:
    found = checked([0.017, 0.018, 0.02, 0.021, 0.03], [0.0171, 0.018, 0.02, 0.021, 0.03])
    assert found.coarse == ("device0",)
    assert found.describe().endswith("whole milliseconds on device0")


def test_arrays_of_another_layout_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "some.npz"
    np.savez(file, arch=PICKS)
    with pytest.raises(WrongUse, match="must have the arrays arch and latency_ms/DEVICE; got arch"):
        read_arrays(file, ("arch",), "latency_ms/")
    file.write_text("text", encoding="utf-8")
    with pytest.raises(WrongUse, match="cannot be read"):
        read_arrays(file, ("arch",), "latency_ms/")


@pytest.mark.parametrize("values", [np.ones((2, 2)), np.ones(2, dtype=int), np.ones((2, 3), dtype=int)])
def test_a_matrix_of_another_shape_or_kind_is_refused(values: np.ndarray) -> None:
    with pytest.raises(WrongUse, match=r"whole numbers of shape \(rows, 2\)"):
        matrix(values, "picks", 2)


def test_latencies_become_seconds_and_need_one_number_for_each_row() -> None:
    assert latencies_s({"ms/a": np.array([2.0]), "arch": PICKS}, "ms/", 1)["a"].tolist() == [0.002]
    with pytest.raises(WrongUse, match="each of the 2 rows"):
        latencies_s({"ms/a": np.array([2.0])}, "ms/", 2)


def test_values_outside_are_named_by_row_and_place() -> None:
    assert outside(np.array([[3, 5], [3, 9]]), (3, 5), "kernel") == {1: "kernel is 9 at place 1, none of (3, 5)"}
