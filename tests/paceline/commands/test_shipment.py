"""What a network was promised, and what is said of it when it is shipped."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from devices import WrongUse
from paceline.commands.shipment import Shipment, card_of, caveats_of, notes_of, open_shipment
from search import BY_HAND, Accuracy, Delivery, ExportedOnnx, SearchResult, Weights, exported_onnx, random_weights

pytest.importorskip("torch", reason="torch is not installed; it exports")

RESULT = SearchResult("latency", "demo", (32, 64), 3, ("skip",) * 10, "latency", 0.012, 0.01, 0.5, 0, "scenes", {})


@pytest.fixture
def found(tmp_path: Path) -> Shipment:
    return shipment(tmp_path, RESULT)


@pytest.fixture(scope="module")
def models() -> dict[str, ExportedOnnx]:
    space, architecture = RESULT.open()
    return {"latency.onnx": exported_onnx(space, architecture, random_weights(space, architecture).module)}


def shipment(folder: Path, result: SearchResult) -> Shipment:
    result.write(folder / "latency.json")
    return open_shipment(str(folder / "latency.json"), None, None)


def weights_of(found: Shipment, **changes: object) -> Weights:
    drawn = random_weights(found.space, found.architecture)
    return replace(drawn, conditions={"steps": 5, "step": 5}, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "limit_s"),
    [
        ({}, 0.012),
        ({"objective": "macs", "limit": 1e6}, None),
        ({"limit": None}, None),
        ({"limits": {"latency on xavier": 0.02, "macs": 1e6}}, 0.02),
        ({"objective": "macs", "limit": 1e6, "limits": {"macs": 1e6, "latency on xavier": 0.02}}, 0.02),
        ({"limits": {"latency on xavier": 0.02, "latency on t4": 0.004}}, 0.004),
    ],
)
def test_what_was_promised_is_the_limit_on_latency_on_the_table(
    tmp_path: Path, changes: dict[str, object], limit_s: float | None
) -> None:
    found = shipment(tmp_path, replace(RESULT, **changes))  # type: ignore[arg-type]
    assert found.limit_on(Path("tables/t4.jsonl")) == limit_s


def test_of_several_devices_it_must_be_known_which_one_is_meant(tmp_path: Path) -> None:
    found = shipment(tmp_path, replace(RESULT, limits={"latency on xavier": 0.02, "latency on t4": 0.004}))
    assert found.limit_on(None) is None
    with pytest.raises(WrongUse, match=r"limits on xavier and t4, and tables/h100.jsonl is called as none of them"):
        found.limit_on(Path("tables/h100.jsonl"))


def test_a_published_network_was_promised_nothing() -> None:
    found = open_shipment("lat_small", (32, 64), 3)
    assert found.limit_on(Path("tables/t4.jsonl")) is None
    assert found.at("fp16").workloads()[0].precision == "fp16"


def test_the_card_tells_a_searched_network_from_one_by_hand(
    tmp_path: Path, found: Shipment, models: dict[str, ExportedOnnx]
) -> None:
    card = card_of(found, weights_of(found), Delivery(), "fp32", models)
    assert (card.objective, card.limit, card.open_axes) == ("latency", 0.012, {})
    by_hand = shipment(tmp_path, replace(RESULT, strategy=BY_HAND))
    assert card_of(by_hand, weights_of(by_hand), Delivery(), "fp32", models).objective is None


def test_what_its_user_has_to_know_is_said(found: Shipment, models: dict[str, ExportedOnnx]) -> None:
    card = card_of(found, weights_of(found), Delivery("Xavier", doubts=("It was hot.",)), "int8", models)
    assert caveats_of(replace(card, open_axes={"batch": "1 or more"}), found, weights_of(found), models) == [
        "It was hot.",
        "How good its answers are is not known: no word of a training or comparison lies beside them.",
        "Latencies are those at 32x64 and batch 1 with that size fixed; open axes cost more.",
        "Latencies are of int8, which a runtime makes of the file in fp32 by itself.",
    ]
    plain = replace(card, delivery=Delivery(), precision="fp32")
    accuracy = Accuracy(0.5, {}, "streets", 5)
    assert caveats_of(plain, found, weights_of(found, accuracy=accuracy), models) == []
    begun = replace(weights_of(found), conditions={"steps": 5, "step": 2})
    assert caveats_of(plain, found, begun, models) == ["The training was not over: 3 of 5 steps are left."]
    drawn = random_weights(found.space, found.architecture)
    assert caveats_of(plain, found, drawn, models) == ["The weights are random: times are right, answers are not."]


def test_a_file_that_often_answers_otherwise_is_told_of(found: Shipment, models: dict[str, ExportedOnnx]) -> None:
    model = models["latency.onnx"]
    coarse = replace(model, differences=(replace(model.worst, classes_differing=0.25),))
    accuracy = Accuracy(0.5, {}, "streets", 5)
    card = card_of(found, weights_of(found), Delivery(), "fp16", models)
    said = caveats_of(card, found, weights_of(found, accuracy=accuracy), {"latency.fp16.onnx": coarse})
    assert said == ["latency.fp16.onnx puts another class on top than torch in 25.0% of its answers."]


def test_a_file_names_its_classes_where_they_are_known(found: Shipment) -> None:
    accuracy = Accuracy(0.5, {"road": 0.5}, "streets", 5, class_names=("road", "sky", "tree"))
    notes = notes_of(found, weights_of(found, accuracy=accuracy), Delivery(limit_s=0.012))
    assert json.loads(notes["classes"]) == ["road", "sky", "tree"]
    assert (notes["name"], notes["limit"]) == ("latency", "12 ms")
    unknown = notes_of(found, weights_of(found), Delivery())
    assert json.loads(unknown["classes"]) == 3
    assert "limit" not in unknown
