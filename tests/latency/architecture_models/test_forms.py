from __future__ import annotations

import numpy as np
import pytest

from latency.architecture_models.codes import ArchitectureCodes, one_hot
from latency.architecture_models.forms import AdditiveForm, SumForm, forms_of

PICKS = np.random.default_rng(0).integers(3, size=(90, 4))
CODES = ArchitectureCodes.of({"pick": one_hot(PICKS, 3)}, {"first": one_hot(PICKS[:, :1], 3)})
TIMES_S = 1e-3 * (5 + CODES.values[:, : CODES.main] @ np.arange(12.0))
NOISY_S = TIMES_S * np.random.default_rng(1).uniform(0.9, 1.1, 90)


def test_a_sum_is_found_to_the_last_digits_though_its_columns_repeat_each_other() -> None:
    fit = SumForm().fit(CODES[:60], TIMES_S[:60], None)
    assert fit.mean_s(CODES.values[60:]) == pytest.approx(TIMES_S[60:], rel=1e-13)


def test_a_sum_knows_nothing_of_columns_that_never_varied() -> None:
    extended = np.column_stack([CODES.values, np.zeros(len(CODES))])
    fit = SumForm().fit(ArchitectureCodes.of({"pick": extended}), TIMES_S, None)
    assert fit.variance_s2[-1] == pytest.approx(np.mean(fit.weight_s[:-1] ** 2))
    assert not fit.variance_s2[:-1].any()


def test_the_additive_form_is_ridge_on_the_main_columns() -> None:
    form = AdditiveForm(CODES, NOISY_S)
    fit = form.fit(CODES, NOISY_S, None)
    main = CODES.values[:, : CODES.main] - CODES.values[:, : CODES.main].mean(axis=0)
    # Ridge is least squares with one more row for each column, which wants its weight to be 0.
    rows = np.vstack([main, form.penalty**0.5 * np.eye(CODES.main)])
    wanted_s = np.concatenate([NOISY_S - NOISY_S.mean(), np.zeros(CODES.main)])
    weight_s = np.linalg.lstsq(rows, wanted_s, rcond=None)[0]
    assert fit.mean_s(CODES.values) == pytest.approx(NOISY_S.mean() + main @ weight_s, rel=1e-9)
    assert not fit.weight_s[CODES.main :].any()


def test_the_penalty_is_small_for_sums_and_large_for_noise() -> None:
    noise_s = np.random.default_rng(3).uniform(1e-3, 1.1e-3, 90)
    assert AdditiveForm(CODES, TIMES_S).penalty < 1e-3 < 10 <= AdditiveForm(CODES, noise_s).penalty


def test_forms_come_with_the_plainest_first() -> None:
    assert [form.name for form in forms_of(CODES, NOISY_S, None)] == ["additive", "grouped"]
