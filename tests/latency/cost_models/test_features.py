"""Physical features: the same columns for everything, and each of them by hand where that is possible."""

from __future__ import annotations

import numpy as np
import pytest

from devices import WrongUse
from latency import OPERATORS, Workload, operator_of, parts
from latency.cost_models.features import features
from tests.contracts.examples import OPERATOR_CASES, network


def convolution(source: int = 32, size: int = 16, batch: int = 1, precision: str = "fp32", **changes: int) -> Workload:
    attributes = {"channels": 64, "kernel": 3, "stride": 1, "groups": 1, **changes}
    return Workload("grouped_convolution", ((source, size, size),), attributes, precision, batch)


def test_there_are_cases_of_most_operators() -> None:
    assert len({case.operator for case in OPERATOR_CASES.values()}) >= 8
    assert set(OPERATORS) >= {case.operator for case in OPERATOR_CASES.values()}


@pytest.mark.parametrize("case", OPERATOR_CASES)
def test_every_operator_has_the_same_columns_and_its_own_work(case: str) -> None:
    workload = OPERATOR_CASES[case]
    found = features([workload])
    assert found.names == features([convolution()]).names
    assert found.values.shape == (1, len(found.names))
    assert np.isfinite(found.values).all()
    macs = operator_of(workload).macs(workload)
    assert found["macs"][0] == pytest.approx(np.log(max(macs, 1)))


def test_a_network_is_as_much_work_as_its_parts() -> None:
    whole, single = features([network()]), features(parts(network()))
    for name in ("macs", "weight_bytes", "written_bytes", "tiles_32x32", "winograd_2x2"):
        amounts = np.exp(single[name])
        amounts[single[name] == 0] = 0  # No amount at all counts as one.
        assert np.exp(whole[name][0]) == pytest.approx(amounts.sum(), rel=1e-12), name


def test_tiles_are_counted_by_hand() -> None:
    # 16 x 16 pixels are 256 rows, 64 channels are 64 columns
    found = features([convolution(), convolution(channels=65)])
    assert np.exp(found["tiles_64x64"]) == pytest.approx([4, 8])
    assert np.exp(found["tiles_128x128"]) == pytest.approx([2, 2])
    assert np.exp(found["padding_64x64"]) == pytest.approx([1, 128 / 65])
    assert np.exp(found["padding_128x128"]) == pytest.approx([2, 128 / 65])


def test_patches_hang_over_at_sizes_that_they_do_not_divide() -> None:
    found = features([convolution(size=16), convolution(size=5)])
    assert np.exp(found["overhang_4x4"]) == pytest.approx([1, 64 / 25])
    assert np.exp(found["winograd_4x4"][1]) == pytest.approx(4 * 32 * 64 * 36)


def test_channels_that_are_no_multiple_are_padded() -> None:
    found = features([convolution(32), convolution(12), convolution(3)])
    assert found["source_filling_8"].tolist() == [1, 12 / 16, 3 / 8]
    assert found["source_filling_32"].tolist() == [1, 12 / 32, 3 / 32]


def test_bytes_follow_the_precision_and_work_the_batch() -> None:
    one, half, eight = features([convolution(), convolution(precision="fp16"), convolution(batch=8)]).values
    names = features([convolution()]).names
    for name, of_half, of_eight in (("read_bytes", 0.5, 8), ("weight_bytes", 0.5, 1), ("macs", 1, 8)):
        column = names.index(name)
        assert np.exp(half[column] - one[column]) == pytest.approx(of_half), name
        assert np.exp(eight[column] - one[column]) == pytest.approx(of_eight), name


def test_depthwise_work_is_told_from_dense_work() -> None:
    found = features([convolution(64), convolution(64, groups=64)])
    assert found["dense_macs"][0] == found["macs"][0]
    assert found["grouped_macs"][0] == found["dense_macs"][1] == 0
    assert found["grouped_macs"][1] == found["macs"][1]
    assert found["mean_groups"].tolist() == [0, np.log(64)]


def test_what_is_added_to_the_output_is_read() -> None:
    plain = convolution()
    fused = Workload("residual_convolution", ((32, 16, 16), (64, 16, 16)), plain.attributes)
    read = np.exp(features([plain, fused])["read_bytes"])
    assert read == pytest.approx([4 * 32 * 256, 4 * (32 + 64) * 256])


def test_a_mean_over_one_layer_is_exactly_its_size() -> None:
    # To trees, the same size twice must be the same number twice, to the last bit.
    found = features([convolution(batch=batch, kernel=kernel) for batch in (1, 7, 13) for kernel in (1, 3, 5)])
    assert set(found["mean_source"]) == {np.log(32)}


def test_no_workloads_have_no_rows() -> None:
    assert features([]).values.shape == (0, len(features([convolution()]).names))


def test_an_unknown_operator_is_refused() -> None:
    with pytest.raises(WrongUse, match="operator"):
        features([Workload("nonesuch", ((1, 1, 1),))])
