"""Which axes of a network may stay open, and over which sizes."""

from __future__ import annotations

import pytest

from latency import AxisRange, Workload, chain_workload, dynamic_shape, network_workload, operator_of
from latency.operators import convolution_layer

POOLS_ALL, POOLS_BY_KERNEL = AxisRange(32, 784), AxisRange(769)


def segmenting(height: int, width: int, decoder: str = "lr_aspp") -> Workload:
    """Four halvings and a decoder."""
    layers, shape = list[Workload](), (3, height, width)
    for _ in range(4):
        layers.append(Workload("convolution", (shape,), {"channels": 4, "kernel": 3, "stride": 2}))
        shape = convolution_layer(shape, 4, 3, 2).output
    tap = operator_of(layers[2]).output(layers[2])
    attributes = {"middle": 4, "classes": 2, "height": height, "width": width}
    return network_workload(layers, 2, Workload(decoder, (shape, tap), attributes))


def classifying() -> Workload:
    first = Workload("convolution", ((3, 32, 32),), {"channels": 4, "kernel": 3, "stride": 2})
    return chain_workload([first, Workload("classifier", ((4, 16, 16),), {"classes": 2, "pool": 1})])


@pytest.mark.parametrize(
    ("size", "height", "width"),
    [
        ((32, 784), POOLS_ALL, POOLS_ALL),
        ((33, 785), POOLS_ALL, POOLS_BY_KERNEL),
        ((1024, 2048), POOLS_BY_KERNEL, POOLS_BY_KERNEL),
        ((512, 1024), POOLS_ALL, POOLS_BY_KERNEL),
        ((180, 240), POOLS_ALL, POOLS_ALL),
    ],
)
def test_lr_aspp_has_one_form_on_each_side_of_its_kernel(
    size: tuple[int, int], height: AxisRange, width: AxisRange
) -> None:
    shape = dynamic_shape(segmenting(*size))
    assert shape.ranges == {"batch": AxisRange(1), "height": height, "width": width}
    assert not shape.refused


def test_every_size_within_a_range_has_the_range() -> None:
    for side in (32, 33, 100, 783, 784, 785, 2000):
        assert side in dynamic_shape(segmenting(side, 64)).ranges["height"]


def test_aspp_and_classifiers_that_pool_take_any_size() -> None:
    for workload in (segmenting(64, 64, "aspp"), classifying()):
        assert dynamic_shape(workload).ranges["height"] == AxisRange(32)


def test_an_operator_that_is_not_known_to_take_any_size_keeps_its_own() -> None:
    image = (3, 32, 32)
    last = Workload("classifier", (image,), {"classes": 2, "pool": 1})
    shape = dynamic_shape(
        chain_workload([Workload("normalised_activation", (image,), {"activation": "relu", "norm": 1}), last])
    )
    assert set(shape.ranges) == {"batch"}
    assert "normalised_activation" in shape.refused["width"]


def test_a_classifier_of_one_pixel_needs_that_pixel() -> None:
    image = (3, 2, 2)
    first = Workload("convolution", (image,), {"channels": 4, "kernel": 3, "stride": 2})
    last = Workload("classifier", ((4, 1, 1),), {"classes": 2, "pool": 0})
    assert "one pixel" in dynamic_shape(chain_workload([first, last])).refused["height"]
    pool = Workload("global_average_pool", ((4, 1, 1),))
    assert "height" in dynamic_shape(chain_workload([first, pool, last])).ranges


def test_a_block_is_no_network() -> None:
    block = Workload("convolution", ((3, 32, 32),), {"channels": 4, "kernel": 3, "stride": 2})
    assert "no whole network" in dynamic_shape(block).refused["height"]


def test_a_range_knows_what_is_in_it() -> None:
    assert 784 in POOLS_ALL
    assert 785 not in POOLS_ALL
    assert "784" not in POOLS_ALL
    assert (POOLS_ALL.describe(), POOLS_BY_KERNEL.describe()) == ("32 to 784", "769 or more")
