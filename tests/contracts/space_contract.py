"""What every search space must do. Inherit the suite, say how your space is opened, and run it.

::

    from tests.contracts.space_contract import SpaceContract

    class TestMySpace(SpaceContract):
        smallest = (32, 32)

        def open(self, input_size=None, classes=None, precision="fp32"):
            return open_space("my_space.py:space", input_size, classes, precision)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest

from devices import WrongUse
from latency import Workload, build_module, export_onnx, operator_of, parts
from lut import Lookup, Table, sum_of_picks
from search.spaces import Architecture, Space, refuse_inconsistent
from tests.contracts.examples import measurement

if TYPE_CHECKING:
    from torch import Tensor, nn

_DRAWN = 3
"""Random networks that a test looks at, beside the reference."""


def drawn(space: Space) -> list[Architecture]:
    """The reference and some random networks."""
    rng = np.random.default_rng(0)
    picks = [tuple(int(rng.integers(size)) for size in space.sizes) for _ in range(_DRAWN)]
    return [Architecture(space.name, of_one) for of_one in (space.reference, *picks)]


def counted(workload: Workload) -> tuple[int, int, tuple[int, ...]]:
    """MACs by torch's own counter, parameters, and shape of the output; built where nothing is computed."""
    torch = pytest.importorskip("torch", reason="torch is not installed; workloads are counted on its modules")
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"):
        module = pass_on_norms(build_module(workload).eval())
        images = [torch.empty(workload.batch, *shape) for shape in workload.inputs]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        output = module(*images)
    flops = counter.get_total_flops()
    assert flops % 2 == 0
    return flops // 2, sum(weight.numel() for weight in module.parameters()), tuple(output.shape)


def pass_on_norms(module: nn.Module) -> nn.Module:
    """Have batch normalisation do nothing: it counts nothing, and torch's counter takes most of its time to see it."""
    for norm in module.modules():
        if type(norm).__name__ == "BatchNorm2d":
            norm.forward = partial(_unchanged, norm.num_features)
    return module


def _unchanged(channels: int, x: Tensor) -> Tensor:
    assert x.shape[1] == channels
    return x


def described(workload: Workload) -> tuple[int, int, tuple[int, ...]]:
    """The same by the operator's arithmetic; class scores are written without the one pixel that they have."""
    operator = operator_of(workload)
    shape = (workload.batch, *operator.output(workload))
    scores = "classes" in workload.attributes or workload.operator == "graph"
    return (
        operator.macs(workload),
        operator.parameters(workload),
        shape[:2] if scores and shape[2:] == (1, 1) else shape,
    )


class SpaceContract(ABC):
    """The suite.

    Attributes:
        smallest: an input size that the space can have, small enough that a network is exported at once.
    """

    smallest: tuple[int, int]

    @abstractmethod
    def open(
        self, input_size: tuple[int, int] | None = None, classes: int | None = None, precision: str = "fp32"
    ) -> Space:
        """The space under test, at its own size and classes where none are given."""

    @pytest.fixture
    def space(self) -> Space:
        return self.open()

    def test_it_fits_together(self, space: Space) -> None:
        refuse_inconsistent(space)

    def test_every_candidate_and_every_fixed_part_is_counted_as_it_is_built(self, space: Space) -> None:
        for workload in space.workloads():
            assert counted(workload) == described(workload), workload.describe()

    def test_a_network_is_counted_as_it_is_built(self, space: Space) -> None:
        for architecture in drawn(space):
            network = space.network(architecture)
            assert counted(network) == described(network)

    def test_a_network_is_made_of_what_the_architecture_lowers_to_and_of_nothing_else(self, space: Space) -> None:
        for number in range(max(space.sizes)):
            architecture = Architecture(space.name, tuple(number % size for size in space.sizes))
            assert Counter(parts(space.network(architecture))) == Counter(space.lower(architecture))

    def test_macs_of_a_network_are_those_of_its_picks_and_of_what_all_share(self, space: Space) -> None:
        for architecture in drawn(space):
            network = space.network(architecture)
            by_picks = sum_of_picks(space.macs, space.fixed_macs, np.array([architecture.picks]))
            assert by_picks.tolist() == [operator_of(network).macs(network)]

    def test_macs_are_known_exactly_where_there_is_a_candidate(self, space: Space) -> None:
        there = np.arange(max(space.sizes)) < np.array(space.sizes)[:, None]
        np.testing.assert_array_equal(~np.isnan(space.macs), there)

    def test_a_table_gives_the_time_of_what_the_architecture_lowers_to(self, space: Space) -> None:
        timed = [workload for workload in space.workloads() if not operator_of(workload).is_free]
        seconds = {workload: (number + 1) * 1e-4 for number, workload in enumerate(timed)}
        lookup = Lookup.read(Table(measurement(w, s) for w, s in seconds.items()), space.grid, space.fixed)
        np.testing.assert_array_equal(np.isnan(lookup.mean_s), np.isnan(space.macs))
        for architecture in drawn(space):
            picks = np.array([architecture.picks])
            known_s = sum(seconds.get(workload, 0.0) for workload in space.lower(architecture))
            assert lookup.estimate(architecture.picks).mean_s == pytest.approx(known_s)
            assert sum_of_picks(lookup.mean_s, lookup.fixed.mean_s, picks) == pytest.approx(known_s)

    def test_names_lead_back_to_the_architecture(self, space: Space) -> None:
        for architecture in drawn(space):
            names = space.names(architecture)
            assert space.architecture(names) == architecture
            assert space.read(" ".join(names)) == space.read(" | ".join(names)) == architecture

    def test_a_pick_that_is_no_candidate_is_refused(self, space: Space) -> None:
        for wrong in (-1, space.sizes[0]):
            with pytest.raises(WrongUse, match=f"counted from 0; got {wrong}"):
                space.lower(Architecture(space.name, (wrong, *space.reference[1:])))

    def test_precision_and_classes_reach_the_network(self) -> None:
        space = self.open(self.smallest, 3, "fp16")
        assert {workload.precision for workload in space.workloads()} == {"fp16"}
        assert (space.input_size, space.classes, operator_of(space.decoder).output(space.decoder)[0]) == (
            self.smallest,
            3,
            3,
        )

    def test_no_class_is_refused(self) -> None:
        with pytest.raises(WrongUse):
            self.open(self.smallest, 0)

    def test_the_reference_is_exported(self) -> None:
        onnx = pytest.importorskip("onnx", reason="onnx is not installed")
        space = self.open(self.smallest)
        network = space.network(Architecture(space.name, space.reference))
        model = onnx.load_from_string(export_onnx(network))
        onnx.checker.check_model(model)
        (output,) = model.graph.output
        assert tuple(size.dim_value for size in output.type.tensor_type.shape.dim) == described(network)[2]
