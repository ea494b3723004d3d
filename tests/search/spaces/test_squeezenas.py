"""The SqueezeNAS spaces: what was published, to the unit, and the same rules at every other size."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices import WrongUse
from latency import Workload, build_module, operator_of
from search import CITYSCAPES, PUBLISHED, SPACES, Architecture, Space, open_published, open_space
from search.spaces import squeezenas
from search.spaces.chains import Stage
from search.spaces.squeezenas import MACROS, Macro
from tests.contracts.space_contract import SpaceContract, counted

torch = pytest.importorskip("torch", reason="torch is not installed; networks are counted on its modules")

CANDIDATES = [
    "k3e1g1",
    "k3e1g2",
    "k3e3g1",
    "k3e6g1",
    "k5e1g1",
    "k5e1g2",
    "k5e3g1",
    "k5e6g1",
    "k3e1g1d2",
    "k3e1g2d2",
    "k3e3g1d2",
    "k3e6g1d2",
    "skip",
]
COUNTED = {
    "lat_small": (4_465_098_752, 465_774),
    "lat_large": (19_574_636_544, 1_918_734),
    "lat_xlarge": (32_729_202_688, 3_059_323),
    "mac_small": (3_007_512_576, 277_598),
    "mac_large": (9_386_147_840, 704_382),
    "mac_xlarge": (21_838_299_136, 1_819_563),
}


class TestDemo(SpaceContract):
    smallest = (32, 32)

    def open(
        self, input_size: tuple[int, int] | None = None, classes: int | None = None, precision: str = "fp32"
    ) -> Space:
        return open_space("demo", input_size, classes, precision)


SIZES = st.tuples(st.integers(32, 300), st.integers(32, 300))
NAMES = st.sampled_from(sorted(MACROS))


def output(workload: Workload) -> tuple[int, int, int]:
    return operator_of(workload).output(workload)


def test_exactly_the_six_networks_were_published() -> None:
    assert {name for name, (space, _) in PUBLISHED.items() if space in MACROS} == set(COUNTED)


@pytest.mark.parametrize("name", COUNTED)
def test_published_networks_have_the_published_macs_and_parameters(name: str) -> None:
    space, architecture = open_published(name)
    network = space.network(architecture)
    assert (operator_of(network).macs(network), operator_of(network).parameters(network)) == COUNTED[name]


@pytest.mark.parametrize("name", COUNTED)
def test_published_networks_count_the_same_when_they_are_built(name: str) -> None:
    space, architecture = open_published(name)
    assert counted(space.network(architecture)) == (*COUNTED[name], (1, 19, 1024, 2048))


@pytest.mark.parametrize("name", ["lat_small", "lat_large", "lat_xlarge"])
def test_published_networks_open_at_other_sizes(name: str) -> None:
    space, architecture = open_published(name, (64, 96), 5)
    assert (space.input_size, space.classes) == ((64, 96), 5)
    assert space.names(architecture) == open_published(name)[0].names(architecture)


@pytest.mark.parametrize(("name", "units"), [("small", 20), ("large", 22), ("xlarge", 22), ("demo", 10)])
def test_every_unit_has_the_13_candidates_in_the_published_order(name: str, units: int) -> None:
    space = open_space(name if name == "demo" else f"squeezenas-{name}")
    assert len(space.units) == units
    assert [list(unit.names) for unit in space.units] == [CANDIDATES] * units


@pytest.mark.parametrize(
    ("name", "first", "last", "tap", "decoder", "middle"),
    [
        ("small", (16, 512, 1024), (256, 64, 128), (24, 128, 256), "lr_aspp", 128),
        ("large", (16, 512, 1024), (160, 64, 128), (32, 128, 256), "lr_aspp", 128),
        ("xlarge", (48, 512, 1024), (320, 64, 128), (32, 256, 512), "aspp", 160),
    ],
)
def test_shapes_between_stem_and_decoder_are_the_published_ones(
    name: str, first: tuple[int, ...], last: tuple[int, ...], tap: tuple[int, ...], decoder: str, middle: int
) -> None:
    space = open_space(f"squeezenas-{name}")
    assert output(space.stem[0]) == first
    assert space.decoder.inputs == (last, tap)
    assert (space.decoder.operator, space.decoder.attributes["middle"]) == (decoder, middle)
    assert output(space.decoder) == (19, 1024, 2048)


@pytest.mark.parametrize(
    ("name", "widths"),
    [
        ("small", [16] * 4 + [24] * 4 + [40] * 4 + [48] * 4 + [96] * 4),
        ("large", [16] + [24] * 4 + [32] * 4 + [64] * 4 + [96] * 4 + [160] * 5),
        ("xlarge", [24] + [32] * 4 + [48] * 4 + [96] * 4 + [144] * 4 + [240] * 4 + [320]),
    ],
)
def test_units_have_the_published_widths(name: str, widths: list[int]) -> None:
    assert [output(unit.candidates[0].workload)[0] for unit in open_space(f"squeezenas-{name}").units] == widths


def test_only_small_has_a_head() -> None:
    heads = {name: [output(work)[0] for work in open_space(f"squeezenas-{name}").head] for name in ("small", "large")}
    assert heads == {"small": [256], "large": []}
    assert open_space("squeezenas-xlarge").head == ()


def test_a_skip_is_whatever_the_shapes_need() -> None:
    space = open_space("squeezenas-small")
    skips = [unit.candidates[-1].workload.operator for unit in space.units]
    expected = {0: "factorized_reduce", 4: "factorized_reduce", 8: "factorized_reduce", 12: "projection"}
    assert skips == [{**expected, 16: "projection"}.get(index, "identity") for index in range(20)]


@given(NAMES, SIZES, st.integers(1, 40))
@settings(max_examples=40)
def test_at_any_size_all_candidates_of_a_unit_write_what_the_next_one_reads(
    name: str, size: tuple[int, int], classes: int
) -> None:
    space = SPACES[name](size, classes, "fp32")
    read = output(space.stem[0])
    for unit in space.units:
        assert {candidate.workload.inputs for candidate in unit.candidates} == {(read,)}
        written = {output(candidate.workload) for candidate in unit.candidates}
        assert len(written) == 1, unit.name
        read = written.pop()
    assert read[1:] == tuple(ceil(pixels / 16) for pixels in size)
    assert output(space.decoder) == (classes, *size)


@given(NAMES, SIZES, st.integers(1, 40), st.randoms(use_true_random=False))
@settings(max_examples=6)
def test_at_any_size_a_network_is_counted_as_it_is_built(
    name: str, size: tuple[int, int], classes: int, random: Random
) -> None:
    space = SPACES[name](size, classes, "fp32")
    network = space.network(Architecture(name, tuple(random.randrange(13) for _ in space.units)))
    operator = operator_of(network)
    assert counted(network) == (operator.macs(network), operator.parameters(network), (1, classes, *size))


@pytest.mark.parametrize("index", range(13))
def test_every_candidate_of_the_smallest_networks_runs(tiny: Space, index: int) -> None:
    module = build_module(tiny.network(Architecture("tiny", (index,) * 4))).eval()
    with torch.inference_mode():
        scores = module(torch.randn(2, 3, 32, 64))
    assert scores.shape == (2, 3, 32, 64)
    assert scores.isfinite().all()


def test_the_demo_is_small_at_half_the_width_and_depth() -> None:
    demo, small = MACROS["demo"], MACROS["squeezenas-small"]
    assert [(2 * s.channels, 2 * s.units, s.stride) for s in demo.stages] == [
        (s.channels, s.units, s.stride) for s in small.stages
    ]
    assert (2 * demo.stem, 2 * demo.head, 2 * demo.middle) == (small.stem, small.head, small.middle)
    assert demo.decoder == small.decoder


def test_the_demo_has_the_candidates_and_the_decoder_of_small() -> None:
    demo, small = open_space("demo", *CITYSCAPES), open_space("squeezenas-small")

    def kinds(space: Space, unit: int) -> list[tuple[str, dict[str, object]]]:
        workloads = [candidate.workload for candidate in space.units[unit].candidates]
        return [(w.operator, {k: v for k, v in w.attributes.items() if k != "channels"}) for w in workloads]

    for unit in range(10):
        first_of_stage, later = 4 * (unit // 2), 4 * (unit // 2) + 3
        assert kinds(demo, unit) == kinds(small, later if unit % 2 else first_of_stage)
    # The tap is the end of the second stage in both.
    assert demo.decoder.inputs[1][1:] == small.decoder.inputs[1][1:]
    assert demo.decoder.operator == small.decoder.operator


def test_the_demo_opens_at_the_size_of_the_scenes() -> None:
    assert (open_space("demo").input_size, open_space("demo").classes) == ((96, 192), 11)


@pytest.mark.parametrize("name", sorted(MACROS))
def test_the_reference_is_the_same_mobile_block_everywhere(name: str) -> None:
    space = open_space(name)
    assert set(space.names(Architecture(name, space.reference))) == {"k3e3g1"}


@pytest.mark.parametrize("name", sorted(MACROS))
def test_precision_reaches_every_workload(name: str) -> None:
    space = squeezenas(name, MACROS[name], (64, 64), 2, precision="fp16")
    assert {workload.precision for workload in space.workloads()} == {"fp16"}


@pytest.mark.parametrize("size", [(31, 64), (64, 31), (0, 0)])
def test_too_small_an_input_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(WrongUse, match=rf"demo needs .* at least 32x32 .* got {size[0]}x{size[1]}"):
        SPACES["demo"](size, 3, "fp32")


@pytest.mark.parametrize(
    "open_it", [lambda: SPACES["demo"]((64, 64), 0, "fp32"), lambda: open_space("demo", (64, 64), 0)]
)
def test_no_class_is_refused(open_it: Callable[[], Space]) -> None:
    with pytest.raises(WrongUse, match="at least 1 class"):
        open_it()


def test_an_unknown_space_or_network_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(WrongUse, match=r"no space 'squeezenas-smal'. Did you mean 'squeezenas-small'"):
        open_space("squeezenas-smal")
    with pytest.raises(WrongUse, match=r"no network 'lat_smal'. Did you mean 'lat_small'"):
        open_published("lat_smal")


def test_a_head_is_left_out_where_there_is_none() -> None:
    macro = Macro(stem=4, stages=(Stage(4, 1, 2),), head=None, tap=0, decoder="lr_aspp", middle=4)
    space = squeezenas("bare", macro, (32, 32), 2)
    assert space.head == ()
    assert space.decoder.inputs == ((4, 8, 8), (4, 8, 8))
