"""What every cost model must do. Inherit the suite, say which ``kind``, and all of this is tested.

::

    from tests.contracts.cost_model_contract import CostModelContract

    class TestMyModel(CostModelContract):
        kind = MyModel
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt
import pytest

from devices import WrongUse
from latency import Workload, operator_of
from latency.cost_models.cost_model import CostModel, Timings
from latency.cost_models.files import load_cost_model, save_cost_model
from latency.cost_models.registry import find_cost_model, known_cost_models
from tests.contracts.examples import block, skip

Array: TypeAlias = npt.NDArray[np.float64]

NOISE = 0.05
"""What measuring the made-up device again changes, as a share of a time."""


@cache
def blocks() -> tuple[Workload, ...]:
    """Most of a grid of inverted residuals."""
    grid = itertools.product((8, 16, 24, 48), (8, 16, 32), (8, 16, 32), (1, 3, 6), (3, 5))
    every = [
        block(channels, source=source, size=size, expansion=expansion, kernel=kernel)
        for source, channels, size, expansion, kernel in grid
    ]
    return tuple(every[place] for place in np.sort(np.random.default_rng(0).permutation(len(every))[:190]))


def times_s(workloads: Sequence[Workload]) -> Array:
    """A made-up device: a power law in work and traffic."""
    operators = [operator_of(workload) for workload in workloads]
    macs = [operator.macs(workload) for operator, workload in zip(operators, workloads, strict=True)]
    traffic = [operator.activation_bytes(workload) for operator, workload in zip(operators, workloads, strict=True)]
    return np.asarray(2e-10 * np.array(macs) ** 0.6 * np.array(traffic) ** 0.35 * 100)


def measured(workloads: Sequence[Workload], noise: float = NOISE, seed: int = 0) -> Timings:
    """Times of the made-up device as a measurement finds them."""
    disturbed = np.exp(noise * np.random.default_rng(seed).standard_normal(len(workloads)))
    time_s = times_s(workloads) * disturbed
    return Timings(tuple(workloads), time_s, 0.01 * time_s)


@cache
def _known() -> Timings:
    order = np.random.default_rng(1).permutation(len(blocks()))
    return measured([blocks()[place] for place in order[:70]])


@cache
def _rest() -> Timings:
    seen = set(_known().workloads)
    return measured([workload for workload in blocks() if workload not in seen], seed=1)


@cache
def _fitted(kind: type[CostModel]) -> CostModel:
    """One for all tests of a kind; those that fit make one of their own."""
    return kind().fit(_known())


FAR = (block(2048, source=1024, size=128, expansion=6), block(96, source=96, size=1024))
"""Much larger than anything in the grid, of a kind that is in it."""


class CostModelContract:
    """The suite. A model is fitted once to part of the grid, and tests that change it make one of their own."""

    kind: ClassVar[type[CostModel]]

    most_error: ClassVar[float] = 0.2
    """Mean relative error on the rest that it stays below."""

    deviation_grows: ClassVar[bool] = True
    """Whether it is less sure far away from what was measured."""

    @pytest.fixture
    def known(self) -> Timings:
        return _known()

    @pytest.fixture
    def rest(self) -> Timings:
        return _rest()

    @pytest.fixture
    def model(self) -> CostModel:
        return _fitted(self.kind)

    def test_it_is_in_the_registry_under_its_name(self) -> None:
        assert known_cost_models()[self.kind.name] is self.kind
        assert find_cost_model(self.kind.name) is self.kind

    def test_fitting_gives_back_the_model(self, known: Timings) -> None:
        model = self.kind()
        assert not model.is_fitted
        assert model.fit(known) is model
        assert model.is_fitted

    def test_what_was_not_fitted_says_so(self) -> None:
        asked: list[Any] = [lambda: self.kind().estimate(blocks()), lambda: self.kind().log_times(blocks())]
        for ask in [*asked, self.kind().to_json]:
            with pytest.raises(WrongUse, match=rf"'{self.kind.name}' must be fitted .*call fit"):
                ask()

    def test_too_few_points_are_refused_and_repeating_them_does_not_help(self, known: Timings) -> None:
        few = known[np.arange(self.kind.least_points - 1)]
        repeated = known[np.arange(self.kind.least_points * 2) % len(few)]
        for timings in (few, repeated):
            with pytest.raises(WrongUse, match=f"at least {self.kind.least_points} .*got {len(few)}"):
                self.kind().fit(timings)

    def test_the_least_points_are_enough(self, known: Timings, rest: Timings) -> None:
        found = self.kind().fit(known[np.arange(self.kind.least_points)]).estimate(rest.workloads)
        assert (found.mean_s > 0).all()
        assert np.isfinite(found.standard_deviation_s).all()

    def test_estimates_are_positive_times_with_deviations_and_predicted(self, model: CostModel, rest: Timings) -> None:
        found = model.estimate(rest.workloads)
        assert len(found) == len(rest)
        assert (found.mean_s > 0).all()
        assert (found.standard_deviation_s > 0).all()
        assert np.isfinite([found.mean_s, found.standard_deviation_s]).all()
        assert found.source == "predicted"

    def test_it_learns(self, model: CostModel, rest: Timings) -> None:
        errors = np.abs(model.estimate(rest.workloads).mean_s / rest.time_s - 1)
        assert errors.mean() < self.most_error

    def test_nine_tenths_of_new_workloads_are_within_their_interval(self, model: CostModel, rest: Timings) -> None:
        low_s, high_s = model.estimate(rest.workloads).interval_s(0.9)
        covered = np.mean((low_s <= rest.time_s) & (rest.time_s <= high_s))
        assert 0.8 <= covered <= 0.99, "nine tenths, with three standard deviations of chance for 120 workloads"

    def test_the_order_of_rows_does_not_matter(self, model: CostModel, known: Timings, rest: Timings) -> None:
        shuffled = known[np.random.default_rng(2).permutation(len(known))]
        again, first = self.kind().fit(shuffled).estimate(rest.workloads), model.estimate(rest.workloads)
        assert again.mean_s.tolist() == first.mean_s.tolist()
        assert again.standard_deviation_s.tolist() == first.standard_deviation_s.tolist()

    def test_an_estimate_does_not_depend_on_what_else_is_asked(self, model: CostModel, rest: Timings) -> None:
        together, alone = model.estimate(rest.workloads), model.estimate(rest.workloads[3:4])
        assert alone[0].mean_s == pytest.approx(together[3].mean_s, rel=1e-9)
        assert alone[0].standard_deviation_s == pytest.approx(together[3].standard_deviation_s, rel=1e-6)

    def test_times_a_thousand_times_as_long_give_estimates_that_are(
        self, model: CostModel, known: Timings, rest: Timings
    ) -> None:
        longer = Timings(known.workloads, 1000 * known.time_s, 1000 * known.standard_deviation_s)
        scaled, plain = self.kind().fit(longer).estimate(rest.workloads), model.estimate(rest.workloads)
        assert scaled.mean_s == pytest.approx(1000 * plain.mean_s, rel=0.01)
        assert scaled.standard_deviation_s == pytest.approx(1000 * plain.standard_deviation_s, rel=0.05)

    def test_deviations_that_nobody_knows_are_taken(self, known: Timings, rest: Timings) -> None:
        unknown = Timings(known.workloads, known.time_s, np.full(len(known), np.nan))
        found = self.kind().fit(unknown).estimate(rest.workloads)
        assert np.abs(found.mean_s / rest.time_s - 1).mean() < self.most_error

    def test_repeated_workloads_are_taken(self, known: Timings, rest: Timings) -> None:
        twice = known[np.arange(2 * len(known)) % len(known)]
        found = self.kind().fit(twice).estimate(rest.workloads)
        assert np.abs(found.mean_s / rest.time_s - 1).mean() < self.most_error

    def test_fitting_again_forgets_what_was_learned_before(self, known: Timings, rest: Timings) -> None:
        other = Timings(known.workloads, known.time_s[::-1].copy(), known.standard_deviation_s)
        again = self.kind().fit(other).fit(known).estimate(rest.workloads)
        assert again.mean_s.tolist() == self.kind().fit(known).estimate(rest.workloads).mean_s.tolist()

    def test_what_json_brings_back_gives_the_same_estimates(self, model: CostModel, rest: Timings) -> None:
        restored = self.kind.from_json(json.loads(json.dumps(model.to_json(), allow_nan=False)))
        first, again = model.estimate([*rest.workloads, *FAR]), restored.estimate([*rest.workloads, *FAR])
        assert again.mean_s.tolist() == first.mean_s.tolist()
        assert again.standard_deviation_s.tolist() == first.standard_deviation_s.tolist()
        assert again.is_inside.tolist() == first.is_inside.tolist()
        assert restored.to_json() == model.to_json()

    def test_a_file_brings_back_the_model(self, model: CostModel, rest: Timings, tmp_path: Path) -> None:
        save_cost_model(model, tmp_path / "model.json")
        restored = load_cost_model(tmp_path / "model.json")
        assert type(restored) is self.kind
        assert restored.estimate(rest.workloads).mean_s.tolist() == model.estimate(rest.workloads).mean_s.tolist()

    def test_what_was_saved_with_a_part_missing_is_refused(self, model: CostModel) -> None:
        saved = model.to_json()
        for part in saved["state"]:
            damaged = {**saved, "state": {name: value for name, value in saved["state"].items() if name != part}}
            with pytest.raises(WrongUse, match=f"'{self.kind.name}'.*{part}.*Fit it again"):
                self.kind.from_json(damaged)

    def test_most_new_workloads_of_the_grid_are_inside_and_others_are_not(
        self, model: CostModel, rest: Timings
    ) -> None:
        other = Workload("convolution", ((8, 8, 8),), {"channels": 8, "kernel": 3, "stride": 1})
        assert model.estimate(rest.workloads).is_inside.mean() > 0.9
        assert not model.estimate([*FAR, other, block(kernel=7)]).is_inside.any()

    def test_far_away_it_is_less_sure(self, model: CostModel, rest: Timings) -> None:
        if not self.deviation_grows:
            pytest.skip(f"{self.kind.name} does not know how far away it is; is_inside says so")
        near = np.median(model.log_times(rest.workloads).standard_deviation)
        assert (model.log_times(FAR).standard_deviation > 1.2 * near).all()

    def test_a_free_workload_takes_no_time_for_certain(self, model: CostModel) -> None:
        found = model.estimate([skip(), blocks()[0]])
        assert (found[0].mean_s, found[0].standard_deviation_s, found[0].is_inside) == (0.0, 0.0, True)
        assert found[1].mean_s > 0

    def test_no_workload_gives_no_estimate(self, model: CostModel) -> None:
        assert len(model.estimate([])) == 0

    def test_an_unknown_operator_is_refused(self, model: CostModel) -> None:
        with pytest.raises(WrongUse, match="no operator 'no_such_operator'"):
            model.estimate([Workload("no_such_operator", ((8, 8, 8),))])
