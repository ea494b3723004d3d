from __future__ import annotations

import json

import numpy as np
import pytest

from devices import WrongUse
from latency.architecture_models.architecture_model import ArchitectureModel, fit_architectures
from latency.architecture_models.codes import ArchitectureCodes, counts, one_hot

UNITS, CANDIDATES = 6, 4


def codes(count: int, seed: int = 0, candidates: int = CANDIDATES) -> ArchitectureCodes:
    picks = np.random.default_rng(seed).integers(candidates, size=(count, UNITS))
    return ArchitectureCodes.of({"pick": one_hot(picks, CANDIDATES)}, {"count": counts(picks, CANDIDATES)})


def sums_s(of: ArchitectureCodes) -> np.ndarray:
    costs_s = np.random.default_rng(99).uniform(0.2e-3, 2e-3, UNITS * CANDIDATES)
    return 1e-3 + of.values[:, : of.main] @ costs_s


def measured_s(of: ArchitectureCodes, seed: int = 5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    bursts = np.where(rng.random(len(of)) < 0.05, 1.4, 1.0)
    return sums_s(of) * bursts * (1 + 0.01 * rng.standard_normal(len(of)))


def test_sums_by_construction_are_found_exactly() -> None:
    model = fit_architectures(codes(200), sums_s(codes(200)))
    found = model.estimate(codes(300, 1))
    assert model.form == "sum"
    assert np.abs(found.mean_s / sums_s(codes(300, 1)) - 1).max() < 1e-12
    assert found.is_inside.mean() > 0.95  # The others have more of one candidate than any that was learned from.


def test_sums_are_no_sums_any_more_when_the_clock_is_coarse() -> None:
    assert fit_architectures(codes(200), np.round(sums_s(codes(200)), 6)).form != "sum"


def test_as_many_columns_as_rows_do_not_make_a_sum() -> None:
    rng = np.random.default_rng(0)
    random = ArchitectureCodes.of({"any": rng.standard_normal((60, 80))})
    assert fit_architectures(random, rng.uniform(1e-3, 2e-3, 60)).form != "sum"


def test_bursts_are_forgiven_and_the_better_form_is_said() -> None:
    model = fit_architectures(codes(300), measured_s(codes(300)))
    assert model.form == "grouped"
    assert model.left_out["grouped"] < model.left_out["additive"]
    away = model.estimate(codes(200, 1)).mean_s / sums_s(codes(200, 1)) - 1
    assert np.abs(away).max() < 0.03


def test_the_plainer_form_is_taken_where_it_is_as_good() -> None:
    rng = np.random.default_rng(5)
    noisy_s = sums_s(codes(300)) + 0.05e-3 * rng.standard_normal(300)
    assert fit_architectures(codes(300), noisy_s).form == "additive"


@pytest.mark.parametrize("seed", range(3))
def test_intervals_of_nine_tenths_hold_about_nine_tenths(seed: int) -> None:
    seen, held = codes(400, seed), codes(1000, seed + 10)
    lower_s, upper_s = fit_architectures(seen, measured_s(seen, seed)).estimate(held).interval_s(0.9)
    truth_s = measured_s(held, seed + 20)
    assert 0.86 <= np.mean((lower_s <= truth_s) & (truth_s <= upper_s)) <= 0.95


def test_what_was_never_seen_is_outside_and_less_certain() -> None:
    seen = codes(200, candidates=CANDIDATES - 1)
    model = fit_architectures(seen, measured_s(seen))
    found = model.estimate(codes(50, 1))
    has_new = codes(50, 1).values[:, -1] > 0
    assert (found.is_inside == ~has_new).all()
    assert found.standard_deviation_s[has_new].min() > found.standard_deviation_s[~has_new].max()


def test_a_sum_is_as_uncertain_of_what_was_never_seen_as_blocks_differ() -> None:
    seen, asked = codes(200, candidates=CANDIDATES - 1), codes(50, 1)
    model = fit_architectures(seen, sums_s(seen))
    found = model.estimate(asked)
    assert model.form == "sum"
    has_new = asked.values[:, -1] > 0
    deviations_off = (found.mean_s - sums_s(asked))[has_new] / found.standard_deviation_s[has_new]
    assert 0.5 < np.sqrt(np.mean(deviations_off**2)) < 2
    assert found.standard_deviation_s[has_new].min() > 1e-4 > 1e-9 > found.standard_deviation_s[~has_new].max()


def test_a_unit_without_choice_makes_nothing_uncertain() -> None:
    fixed = [ArchitectureCodes.of({"pick": codes(200, s).values[:, :24], "stem": np.ones((200, 1))}) for s in (0, 1)]
    found = fit_architectures(fixed[0], sums_s(codes(200))).estimate(fixed[1])
    assert found.standard_deviation_s.max() < 1e-9


def test_a_latency_that_is_predicted_to_be_0_is_not_certain() -> None:
    amount = ArchitectureCodes.of({"amount": np.linspace(1, 10, 100)[:, None]})
    model = fit_architectures(amount, measured_s(codes(100)) * np.linspace(0.1, 1, 100))
    found = model.estimate(ArchitectureCodes.of({"amount": np.array([[-100.0]])}))
    assert found.mean_s[0] == 0 < found.standard_deviation_s[0]


def test_architectures_of_other_columns_are_refused() -> None:
    model = fit_architectures(codes(60), sums_s(codes(60)))
    other = ArchitectureCodes.of({"pick": codes(9).values})
    with pytest.raises(WrongUse, match="24 of 'pick', 4 of 'count', the first 24 main ones; got columns 28 of 'pick'"):
        model.estimate(other)


@pytest.mark.parametrize("with_order", [False, True])
def test_a_saved_model_estimates_the_same(with_order: bool) -> None:
    seen = codes(120)
    model = fit_architectures(seen, measured_s(seen), np.arange(120.0) if with_order else None)
    again = ArchitectureModel.from_json(json.loads(json.dumps(model.to_json(), allow_nan=False)))
    first, second = (m.estimate(codes(30, 1)) for m in (model, again))
    assert np.array_equal(first.mean_s, second.mean_s)
    assert np.array_equal(first.standard_deviation_s, second.standard_deviation_s)
    assert again.left_out == model.left_out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": 2}, "schema 1; got 'architecture model' and 2"),
        ({"kind": "cost model"}, "got 'cost model'"),
        ({"fit": {}}, "KeyError"),
        ({"lowest": [0.0]}, "ValueError"),
    ],
)
def test_something_else_than_a_saved_model_is_refused(change: dict[str, object], said: str) -> None:
    values = fit_architectures(codes(60), sums_s(codes(60))).to_json()
    with pytest.raises(WrongUse, match=said):
        ArchitectureModel.from_json({**values, **change})


def test_too_few_architectures_are_refused() -> None:
    with pytest.raises(WrongUse, match="at least 30 of them"):
        fit_architectures(codes(29), sums_s(codes(29)))


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf])
def test_failures_written_as_numbers_are_refused_by_row(wrong: float) -> None:
    times_s = sums_s(codes(60))
    times_s[17] = wrong
    with pytest.raises(WrongUse, match="row 17"):
        fit_architectures(codes(60), times_s)


@pytest.mark.parametrize("order", [np.zeros(60), np.arange(60) + 0.5, np.arange(59.0)])
def test_an_order_that_is_none_is_refused(order: np.ndarray) -> None:
    with pytest.raises(WrongUse, match="one whole number for each"):
        fit_architectures(codes(60), sums_s(codes(60)), order)


def test_a_device_that_warms_up_is_taken_as_it_is_at_the_end() -> None:
    seen, held, order = codes(300), codes(200, 1), np.arange(300.0)
    noise = np.random.default_rng(5).standard_normal(300)
    warming_s = sums_s(seen) * (1 + 0.05 * order / 300) * (1 + 0.01 * noise)
    usual, latest = (fit_architectures(seen, warming_s, order, level).estimate(held) for level in ("usual", "latest"))
    assert np.median(usual.mean_s / sums_s(held)) == pytest.approx(1.025, abs=0.003)
    assert np.median(latest.mean_s / sums_s(held)) == pytest.approx(1.05, abs=0.004)


def test_the_latest_level_needs_an_order() -> None:
    with pytest.raises(WrongUse, match="needs the order"):
        fit_architectures(codes(60), sums_s(codes(60)), level="latest")
