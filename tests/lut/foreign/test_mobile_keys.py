from __future__ import annotations

import pytest

from latency import Value, Workload
from lut.foreign.mobile_keys import BadKeyError, MobileKey, plain_layer

FIELDS = ("expand", "kernel", "stride", "idskip")


def block(**changes: object) -> str:
    said = {"expand": 6, "kernel": 3, "stride": 1, "idskip": 1, **changes}
    return "expanded_conv-input:9x7x8-output:9x7x8" + "".join(f"-{name}:{value}" for name, value in said.items())


def test_a_key_is_taken_apart() -> None:
    key = MobileKey.parse(block(), FIELDS)
    assert (key.layer, key.source, key.channels) == ("expanded_conv", (8, 9, 7), 8)
    assert key.fields == {"expand": 6, "kernel": 3, "stride": 1, "idskip": 1}


def test_an_odd_size_is_rounded_up_at_stride_2() -> None:
    text = "expanded_conv-input:9x7x8-output:5x4x16-expand:6-kernel:3-stride:2-idskip:0"
    assert MobileKey.parse(text, FIELDS).channels == 16


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is no key"),
        ("Conv_3-input:7x7x8-output:7x7x8", "is no key"),
        (block() + "x", "is no key"),
        (block(kernel=4), "kernels odd"),
        (block(idskip=2), "flags are 0 or 1"),
        (block(expand=0), "expand at least 1"),
        (block(stride=0), "does not add up"),
        (block(stride=2), "does not add up"),
        (block(idskip=1).replace("output:9x7x8", "output:9x7x16"), "same shape"),
        ("Conv-input:224x224x3-output:224x224x32", "does not add up"),
        ("Logits-input:7x7x8-output:7x7x10", "does not add up"),
        ("Conv_1-input:7x8-output:7x7x8", "HEIGHTxWIDTHxCHANNELS"),
        ("Conv_1-input:0x7x8-output:7x7x8", "HEIGHTxWIDTHxCHANNELS"),
        ("Conv_1-input:7x7x8-output:7x7x8-kernel:3", "input and output only"),
        (block().replace("-idskip:1", ""), "must have the fields"),
        (block().replace("kernel:3-stride:1", "stride:1-kernel:3"), "must have the fields"),
    ],
)
def test_a_key_that_is_impossible_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(BadKeyError, match=why):
        MobileKey.parse(text, FIELDS)


def test_a_layer_of_another_kind_has_no_plain_key() -> None:
    odd: dict[str, Value] = {"channels": 8, "kernel": 5, "stride": 2, "norm": 1, "activation": "relu6"}
    assert plain_layer(Workload("activated_convolution", ((3, 8, 8),), odd), activation="relu6", pool=1) is None
    assert plain_layer(Workload("identity", ((3, 8, 8),)), activation="relu6", pool=1) is None
    assert plain_layer(Workload("global_average_pool", ((3, 8, 8),)), activation="relu6", pool=1) is None
