"""What blocks have in common is read from their workloads alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from latency import Value, Workload
from latency.shared_effects import shared_effects


def block(channels: int = 16, size: int = 32, **changes: Value) -> Workload:
    attributes: Mapping[str, Value] = {
        "channels": channels, "kernel": 3, "stride": 1, "expansion": 3, "groups": 1, "dilation": 1
    }  # fmt: skip
    return Workload("inverted_residual", ((channels, size, size),), {**attributes, **changes})


def reduction(channels: int) -> Workload:
    return Workload("factorized_reduce", ((channels, 32, 32),), {"channels": 2 * channels})


def test_an_effect_of_the_call_is_the_same_time_for_all() -> None:
    times_s = {block(8): 1e-3, block(16): 3e-3}
    shares = shared_effects(times_s)["call"][0]
    assert shares * [1e-3, 3e-3] == pytest.approx([2e-3, 2e-3])


def test_an_effect_of_bytes_is_proportional_to_what_is_read_or_written() -> None:
    times_s = {block(8): 1e-3, block(8, stride=2): 1e-3, block(24): 2e-3}
    read, written = shared_effects(times_s)["bytes"] * list(times_s.values())
    assert read / read[0] == pytest.approx([1, 1, 3])
    assert written / written[0] == pytest.approx([1, 1 / 4, 3])
    assert read.mean() == pytest.approx(np.mean(list(times_s.values())))


def test_the_batch_and_the_precision_count_in_bytes() -> None:
    one = block()
    large = Workload(one.operator, one.inputs, one.attributes, "fp16", batch=6)
    read = shared_effects({one: 1e-3, large: 1e-3})["bytes"][0]
    assert read[1] / read[0] == pytest.approx(3)


def test_blocks_of_one_operator_share_an_effect() -> None:
    effects = shared_effects({block(8): 1e-3, reduction(8): 2e-3, block(16): 3e-3})["operator"]
    assert effects.tolist() == [[0, 1, 0], [1, 0, 1]]


def test_each_value_of_an_attribute_that_some_blocks_have_is_an_effect() -> None:
    blocks = [block(8), block(16), block(8, kernel=5), block(16, kernel=5), block(24, kernel=7), reduction(8)]
    effects = shared_effects(dict.fromkeys(blocks, 1e-3))["attribute"].tolist()
    assert [1, 1, 0, 0, 0, 0] in effects  # kernel 3
    assert [0, 0, 1, 1, 0, 0] in effects  # kernel 5
    assert [0, 0, 0, 0, 1, 0] not in effects, "a value of one block only is that block's own deviation"
    assert [1, 1, 1, 1, 1, 0] in effects  # stride 1, which the reduction does not name
    assert [1, 0, 1, 0, 0, 0] not in effects, "the output's channels are a size and not a kind"


def test_an_attribute_with_many_values_is_a_size_and_no_kind() -> None:
    blocks = [block(channels, expansion=expansion) for channels in (8, 16) for expansion in range(1, 10)]
    assert "attribute" not in shared_effects(dict.fromkeys(blocks, 1e-3))
    few = [w for w in blocks if int(str(w.attributes["expansion"])) < 9]
    assert len(shared_effects(dict.fromkeys(few, 1e-3))["attribute"]) == 8


def test_the_decoders_output_size_is_no_kind() -> None:
    decoders = [
        Workload(name, ((32, 8, 8), (16, 16, 16)), {"middle": middle, "classes": 5, "height": 64, "width": 64})
        for name, middle in (("lr_aspp", 8), ("lr_aspp", 16), ("aspp", 8))
    ]
    effects = shared_effects(dict.fromkeys([*decoders, block()], 1e-3))["attribute"]
    assert effects.tolist() == [[1, 0, 1, 0]], "middle=8, and neither classes nor height nor width"


def test_the_amount_grows_with_the_logarithm_of_the_size() -> None:
    by_bytes, by_macs = shared_effects({block(size=size): 1e-3 for size in (8, 16, 32)})["amount"]
    for amounts in (by_bytes, by_macs):
        assert amounts.mean() == pytest.approx(0)
        assert amounts.std() == pytest.approx(1)
        assert amounts[1] == pytest.approx(0, abs=1e-3), "half way between a quarter and four times as much"


def test_blocks_that_have_nothing_to_tell_apart_share_only_scale_call_bytes_and_operator() -> None:
    assert list(shared_effects({block(): 1e-3})) == ["scale", "call", "bytes", "operator"]
