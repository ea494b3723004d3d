from __future__ import annotations

from dataclasses import replace

from latency import Workload, network_workload, parts
from paceline.short_names import natural_order, short_names
from tests.contracts.examples import block, decoder, network, reduction


def test_names_say_what_differs_and_the_legend_says_what_does_not() -> None:
    first, second = block(8, kernel=3), block(16, kernel=5)
    names = short_names([first, second])
    assert names.of == {first: "inverted_residual 8x8x8 c8 k3", second: "inverted_residual 8x8x8 c16 k5"}
    assert names.legend().splitlines() == [
        "c channels, k kernel",
        "every inverted_residual: dilation=1 expansion=3 groups=1 stride=1",
    ]


def test_a_workload_alone_leaves_nothing_out() -> None:
    names = short_names([reduction(12), block(dilation=2)])
    assert names.of[block(dilation=2)] == "inverted_residual 8x8x8 c8 d2 e3 g1 k3 s1"
    assert not names.shared


def test_letters_grow_until_no_two_attributes_share_them() -> None:
    names = short_names([decoder(middle=4), block()])
    assert names.letters["classes"] == "cl"
    assert names.letters["channels"] == "ch"
    assert names.letters["middle"] == "m"


def test_a_name_that_begins_another_is_written_out() -> None:
    one, two = (
        Workload("convolution", ((3, 8, 8),), {"pad": n, "padding": n, "mode": word})
        for n, word in ((1, "a"), (2, "b"))
    )
    assert short_names([one, two]).of[one] == "convolution 3x8x8 m=a pad1 padd1"


def test_batch_and_precision_are_named_where_they_differ() -> None:
    half = replace(block(), precision="fp16")
    names = short_names([block(), half, block(batch=2)])
    assert names.of[half] == "inverted_residual 8x8x8 b1 p=fp16"
    assert names.of[block(batch=2)] == "inverted_residual 8x8x8 b2 p=fp32"


def test_networks_of_different_parts_are_told_apart_by_their_digests() -> None:
    *encoder, end = parts(network())
    shorter = network_workload(encoder[:2], 1, end)
    names = short_names([network(), shorter])
    assert len(set(names.of.values())) == 2
    assert names.of[shorter] == f"network 3x32x64 #{shorter.digest[:6]}"


def test_numbers_are_sorted_by_their_size() -> None:
    assert sorted(["16x8", "8x16", "8x9 a"], key=natural_order) == ["8x9 a", "8x16", "16x8"]
