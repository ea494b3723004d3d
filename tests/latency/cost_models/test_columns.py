"""Workloads as rows: which columns, standardised how, and what kinds."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from latency.cost_models.amounts import AMOUNTS
from latency.cost_models.columns import Columns, Rows
from tests.contracts.cost_model_contract import blocks
from tests.contracts.examples import block, decoder, network, reduction


def test_columns_are_amounts_features_and_attributes_that_are_no_size() -> None:
    columns = Columns.of(blocks())
    assert columns.attributes == ("dilation", "expansion", "groups", "kernel", "stride")
    rows = columns.rows(blocks())
    assert rows.values.shape == (len(blocks()), len(columns))
    assert len(columns) > len(AMOUNTS) + 5
    assert np.abs(rows.values.mean(axis=0)).max() < 1e-9


def test_what_varies_has_standard_deviation_one_and_what_does_not_is_said() -> None:
    columns = Columns.of(blocks())
    spread = columns.rows(blocks()).values.std(axis=0)
    vary = np.array(columns.vary)
    assert spread[vary].max() < 1 + 1e-9
    assert spread[~vary].max() == 0
    named = dict(zip(columns.attributes, columns.vary[-5:], strict=True))
    assert named == {"dilation": False, "expansion": True, "groups": False, "kernel": True, "stride": False}


def test_a_value_that_was_not_seen_is_away_from_all_others() -> None:
    rows = Columns.of(blocks()).rows([block(dilation=2), block()])
    assert np.abs(rows.values[0] - rows.values[1]).max() > 2


def test_workloads_without_an_attribute_are_in_the_middle_of_its_column() -> None:
    columns = Columns.of([*blocks(), reduction()])
    row = columns.rows([reduction()]).values[0]
    assert row[-5:].tolist() == [0.0] * 5


def test_kinds_are_operators_and_precisions() -> None:
    columns = Columns.of([*blocks(), reduction()])
    rows = columns.rows([block(), block(12), reduction(), replace(block(), precision="fp16")])
    assert rows.same_kind(rows).tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


def test_whole_networks_and_decoders_are_rows_too() -> None:
    workloads = [network(), decoder(), decoder("aspp")]
    assert np.isfinite(Columns.of(workloads).rows(workloads).values).all()


def test_columns_and_rows_survive_json() -> None:
    columns = Columns.of(blocks())
    again = Columns.from_json(json.loads(json.dumps(columns.to_json())))
    assert again == columns
    rows = columns.rows(blocks())
    back = Rows.from_json(json.loads(json.dumps(rows.to_json())))
    assert (back.values.tolist(), back.kinds.tolist()) == (rows.values.tolist(), rows.kinds.tolist())
    assert again.rows(blocks()).values.tolist() == rows.values.tolist()
