"""What an agent is asked to measure."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

from latency import ProfilingError, SamplingPlan, input_names, sentinel_workload
from latency.remote.burst_request import BurstRequest, RemoteModel
from tests.contracts.examples import QUICK, block, decoder
from tests.latency.remote.small_models import SmallModels

ALL = {"fp32": "fp32", "fp16": "fp16", "int8": "fp32"}


def test_a_model_is_named_by_its_digest_and_says_what_goes_in(models: SmallModels) -> None:
    workload = block(batch=3)
    model = RemoteModel.of(workload, ALL, models)
    assert model.to_json() == {
        "digest": sha256(models.of(workload).path.read_bytes()).hexdigest(),
        "precision": "fp32",
        "inputs": [{"name": "input_0", "shape": [3, 8, 8, 8], "type": "float32"}],
    }


def test_each_input_is_named_as_in_the_graph(models: SmallModels) -> None:
    workload = decoder()
    inputs = RemoteModel.of(workload, ALL, models).inputs
    assert [one["name"] for one in inputs] == list(input_names(workload))
    assert [one["shape"] for one in inputs] == [[1, 8, 4, 8], [1, 6, 16, 32]]


@pytest.mark.parametrize(("precision", "graph", "kind"), [("fp16", "fp16", "float16"), ("int8", "fp32", "float32")])
def test_the_graph_has_the_precision_that_the_runtime_wants(
    models: SmallModels, precision: str, graph: str, kind: str
) -> None:
    workload = replace(block(), precision=precision)
    model = RemoteModel.of(workload, ALL, models)
    assert model.precision == precision
    assert model.file == models.of(replace(workload, precision=graph))
    assert {one["type"] for one in model.inputs} == {kind}


@pytest.mark.parametrize(("known", "words"), [({"fp32": "fp32", "fp16": "fp16"}, "fp16, fp32"), ({}, "nothing")])
def test_a_precision_that_the_device_does_not_measure_fails_at_the_build(
    models: SmallModels, known: dict[str, str], words: str
) -> None:
    with pytest.raises(ProfilingError, match=f"measures {words} on this device; got int8") as raised:
        RemoteModel.of(replace(block(), precision="int8"), known, models)
    assert raised.value.stage == "build"


def test_a_burst_is_asked_for_in_the_words_of_the_protocol(models: SmallModels) -> None:
    model, sentinel = (RemoteModel.of(workload, ALL, models) for workload in (block(), sentinel_workload("fp32")))
    request = BurstRequest("token", model, QUICK, sentinel, 0.5)
    assert request.files() == (model.file, sentinel.file)
    asked = request.to_json()
    assert asked == {
        "token": "token",
        "model": model.to_json(),
        "plan": QUICK.to_json(),
        "sentinel": {"model": sentinel.to_json(), "usual_s": 0.5},
    }
    assert SamplingPlan(**asked["plan"]) == QUICK


def test_without_a_sentinel_one_file_is_enough(models: SmallModels) -> None:
    model = RemoteModel.of(block(), ALL, models)
    request = BurstRequest("token", model, QUICK, None, 0.5)
    assert request.files() == (model.file,)
    assert request.to_json()["sentinel"] is None
