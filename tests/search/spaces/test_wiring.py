"""How picks become a network: in a chain, with candidates of one, several and no workloads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import pytest

from devices import WrongUse
from latency import Workload, operator_of, parts
from search import Architecture, Candidate, Space, Unit
from search.spaces import ChainWiring, Frame, Parts, Signal, Wiring, refuse_inconsistent
from tests.contracts.examples import block

STEM = Workload("convolution", ((3, 16, 16),), {"channels": 8, "kernel": 3, "stride": 2})
SCORES = Workload("classifier", ((8, 8, 8),), {"classes": 3, "pool": 1})
ONE, TWO, NONE = ("one", (block(),)), ("two", (block(), block(kernel=5))), ("none", ())


@pytest.fixture
def space() -> Space:
    units = tuple(Unit(f"unit {n}", tuple(Candidate(*kind) for kind in (ONE, TWO, NONE))) for n in range(2))
    return Space("rows", (16, 16), 3, (STEM,), units, (), None, SCORES, (0, 0))


def tapping(space: Space, tap: int) -> Space:
    attributes = {"middle": 4, "classes": 3, "height": 16, "width": 16}
    return replace(space, tap=tap, decoder=Workload("lr_aspp", ((8, 8, 8), (8, 8, 8)), attributes))


@pytest.mark.parametrize(("names", "blocks"), [(("one", "one"), 2), (("two", "none"), 2), (("none", "none"), 0)])
def test_a_candidate_is_a_row_of_its_workloads(space: Space, names: tuple[str, ...], blocks: int) -> None:
    found = parts(space.network(space.architecture(names)))
    assert [part.operator for part in found] == ["convolution", *["inverted_residual"] * blocks, "classifier"]
    assert found == space.lower(space.architecture(names))


@pytest.mark.parametrize(
    ("tap", "names", "layer"), [(0, ("two", "one"), 2), (0, ("none", "one"), 0), (1, ("two", "none"), 2)]
)
def test_the_tap_follows_the_last_layer_of_its_unit(space: Space, tap: int, names: tuple[str, ...], layer: int) -> None:
    network = tapping(space, tap).network(space.architecture(names))
    assert (network.operator, network.attributes["tap"]) == ("network", layer)


def test_such_a_space_fits_together_and_adds_up(space: Space) -> None:
    refuse_inconsistent(space)
    (one,), two = (tuple(operator_of(w).macs(w) for w in kind[1]) for kind in (ONE, TWO))
    assert space.macs.tolist() == [[one, sum(two), 0]] * 2


def test_the_one_workload_of_several_is_not_asked_for(space: Space) -> None:
    assert space.units[0].candidates[0].workload == block()
    for index in (1, 2):
        with pytest.raises(WrongUse, match="workloads, not for one"):
            assert space.units[0].candidates[index].workload


def test_names_are_read_between_spaces_and_bars(space: Space) -> None:
    assert ChainWiring().names("a b|c | d") == ("a", "b", "c", "d")
    assert space.read("two | none") == Architecture("rows", (1, 2))


@final
@dataclass(frozen=True)
class SideBySide(Wiring):
    """All units read what the stem writes; the classifier reads their sum."""

    def wire(self, parts: Parts[Signal], image: Signal) -> Signal:
        stem = parts.stem(image)
        return parts.decoder(parts.total([parts.row(unit, stem) for unit in range(parts.units)], stem))


def test_a_wiring_of_ones_own_says_it_once_for_networks_and_for_a_supernet(space: Space) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed; a supernet is one of its modules")
    from search import Supernet

    beside = replace(space, wiring=SideBySide())
    network = beside.network(Architecture("rows", (1, 0)))
    assert [len(reads) for _, _, reads in network.attributes["nodes"]] == [1, 1, 1, 1, 2, 1]
    assert parts(network) == beside.lower(Architecture("rows", (1, 0)))
    supernet, mixture = Supernet(beside).eval(), torch.eye(3)[[1, 0]]
    pictures = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        stem = supernet.stem[0](pictures)
        by_hand = supernet.decoder(supernet.units[0][1](stem) + supernet.units[1][0](stem))
        assert torch.equal(supernet(pictures, mixture), by_hand)
        assert torch.equal(supernet.pick((1, 0)).eval()(pictures), by_hand)


@pytest.mark.parametrize("picks", [(0, 0), (1, 2), (2, 2)])
def test_a_chain_is_wired_as_it_is_laid_out(space: Space, picks: tuple[int, ...]) -> None:
    picked = [unit.candidates[pick].workloads for unit, pick in zip(space.units, picks, strict=True)]
    frame = Frame(space.stem, space.head, None, space.decoder)
    assert Wiring.network(ChainWiring(), frame, picked, picks) == ChainWiring().network(frame, picked, picks)


def test_equal_wirings_wire_alike() -> None:
    assert ChainWiring() == ChainWiring()
    assert len({ChainWiring(), ChainWiring()}) == 1
