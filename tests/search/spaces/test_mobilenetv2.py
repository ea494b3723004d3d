"""MobileNetV2 as a space of one network: what the paper's tables say, counted apart from the operators."""

from __future__ import annotations

import pytest

from devices import WrongUse
from latency import operator_of
from search import Space, open_published, open_space
from search.spaces.mobilenetv2 import mobilenetv2_name, mobilenetv2_width, scaled
from tests.contracts.space_contract import SpaceContract

TABLE_2 = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
"""Expansion, channels, repeats, stride of table 2 of the paper."""

IMAGENET = (300_774_272, 3_504_872)
"""MACs at 224x224 and parameters of the classifier at width 1, as they are published: '300 M' and '3.4 M' in the paper,
exactly so in torchvision."""


def backbone(height: int, width: int, stride: int, multiplier: float = 1.0) -> tuple[int, int]:
    """MACs and parameters from table 2 alone, up to the last bottleneck, at an output stride."""
    channels = scaled(32, multiplier)
    height, width, reached = -(-height // 2), -(-width // 2), 2
    macs, parameters = 27 * channels * height * width, 27 * channels + 2 * channels
    for expansion, wide, repeats, first in TABLE_2:
        out = scaled(wide, multiplier)
        for step in (first, *[1] * (repeats - 1)):
            hidden = channels * expansion
            if expansion > 1:
                macs += channels * hidden * height * width
                parameters += channels * hidden + 2 * hidden
            if step == 2 and reached < stride:
                height, width, reached = -(-height // 2), -(-width // 2), reached * 2
            macs += (9 * hidden + hidden * out) * height * width
            parameters += 9 * hidden + 2 * hidden + hidden * out + 2 * out
            channels = out
    return macs, parameters


def encoder(space: Space) -> tuple[int, int]:
    workloads = [*space.stem, *(unit.candidates[0].workload for unit in space.units)]
    operators = [(operator_of(workload), workload) for workload in workloads]
    return sum(o.macs(w) for o, w in operators), sum(o.parameters(w) for o, w in operators)


class TestMobileNetV2(SpaceContract):
    smallest = (32, 32)

    def open(
        self, input_size: tuple[int, int] | None = None, classes: int | None = None, precision: str = "fp32"
    ) -> Space:
        return open_space("mobilenetv2-0.35", input_size, classes, precision)


def test_the_count_that_the_space_is_held_against_gives_the_published_classifier() -> None:
    macs, parameters = backbone(224, 224, stride=32)
    last = 320 * 1280
    assert (macs + 49 * last + 1280 * 1000, parameters + last + 2 * 1280 + 1281 * 1000) == IMAGENET


@pytest.mark.parametrize("width", [1.4, 1.0, 0.5, 0.35, 0.1])
@pytest.mark.parametrize("size", [(1024, 2048), (180, 240)])
def test_the_encoder_costs_what_the_paper_says_at_output_stride_16(width: float, size: tuple[int, int]) -> None:
    assert encoder(open_space(mobilenetv2_name(width), size, 11)) == backbone(*size, 16, width)


def test_with_the_head_of_deeplab_it_costs_what_is_published_at_output_stride_16() -> None:
    """Table 7 of the paper, and the model zoo of DeepLab's public code: 2.75 B multiply-adds, 2.11 M parameters.

    The head without ASPP: pooled and plain features to 256 channels each, both to 256, then 21 classes.
    """
    macs, parameters = encoder(open_space("mobilenetv2", (513, 513), 21))
    pixels, both = 33 * 33, 2 * 320 * 256
    macs += both // 2 * (pixels + 1) + (512 * 256 + 256 * 21) * pixels
    parameters += both + 512 * 256 + 3 * 2 * 256 + 256 * 21 + 21
    assert macs == pytest.approx(2.75e9, rel=0.005)
    assert parameters == pytest.approx(2.11e6, rel=0.005)


def test_it_goes_to_stride_16_and_is_tapped_at_stride_8() -> None:
    space = open_space("mobilenetv2")
    assert space.decoder.inputs == ((320, 64, 128), (32, 128, 256))
    assert space.decoder.attributes == open_space("squeezenas-large").decoder.attributes


def test_dilation_makes_up_for_the_stride_that_was_taken_out() -> None:
    space = open_space("mobilenetv2")
    dilations = [unit.candidates[0].workload.attributes.get("dilation", 1) for unit in space.units]
    assert dilations == [1] * 14 + [2] * 3


def test_its_expanded_blocks_are_those_of_the_searched_spaces() -> None:
    mobile, searched = open_space("mobilenetv2"), open_space("squeezenas-large")
    for unit in mobile.units[1:]:
        name, workload = unit.candidates[0].name, unit.candidates[0].workload
        twin = next(c.workload for c in searched.units[1].candidates if c.name == name)
        assert workload.operator == twin.operator
        kinds = ("kernel", "expansion", "groups", "dilation")
        assert [workload.attributes[kind] for kind in kinds] == [twin.attributes[kind] for kind in kinds]


@pytest.mark.parametrize(
    ("channels", "width", "expected"), [(32, 1.0, 32), (24, 0.5, 16), (32, 0.35, 16), (16, 0.1, 8)]
)
def test_channels_are_multiples_of_8_that_lose_a_tenth_at_most(channels: int, width: float, expected: int) -> None:
    assert scaled(channels, width) == expected


def test_the_name_says_the_width() -> None:
    names = [mobilenetv2_name(width) for width in (1.0, 0.5, 1.4)]
    assert names == ["mobilenetv2", "mobilenetv2-0.5", "mobilenetv2-1.4"]
    assert [mobilenetv2_width(name) for name in names] == [1.0, 0.5, 1.4]
    assert mobilenetv2_width("mobilenetv2-x") is mobilenetv2_width("demo") is None


def test_a_width_that_must_be_a_slip_is_refused() -> None:
    with pytest.raises(WrongUse, match=r"from 0.05 to 4.0; got 50"):
        open_space("mobilenetv2-50")


def test_the_published_network_is_the_one_network_of_its_space() -> None:
    space, architecture = open_published("mobilenetv2", (64, 64), 3)
    assert set(space.sizes) == {1}
    assert architecture.picks == space.reference
