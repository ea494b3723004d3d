"""A model card says what is known, for people and for programs."""

from __future__ import annotations

import json
import math
from dataclasses import replace

from search import Accuracy, Delivery, Interval, ModelCard, ShippedFile

CARD = ModelCard(
    name="latency",
    created_at="2026-11-22T12:00:00+00:00",
    space="demo",
    input_size=(96, 192),
    classes=11,
    units=(("stage 1.1", "k3e1g1"), ("stage 1.2", "skip")),
    macs=1_234_567,
    parameters=34_567,
    precision="fp16",
    objective="latency",
    limit=0.012,
    delivery=Delivery(
        "Xavier, tensorrt", 0.012, Interval(0.01, math.nan, math.nan), "reported", Interval(0.011, 0.0109, 0.0111)
    ),
    weights="latency.safetensors (sha256 0123456789abcdef)",
    accuracy=Accuracy(0.512, {"road": 0.9, "sky|air": 0.8}, "trained on streets (10 images)", 300),
    recipe={"search": {"steps": 5}, "seed": 0},
    files=(ShippedFile("latency.onnx", "ONNX, fixed size", "ab" * 32, 4321),),
    commands=("paceline search", "paceline export"),
    versions={"torch": "2.13.0"},
    caveats=("Latencies are those of one image.",),
)


def test_the_card_for_people_has_every_fact() -> None:
    page = CARD.markdown()
    for fact in (
        "# latency",
        "> Latencies are those of one image.",
        "| space | demo at 96x192, 11 classes |",
        "| MACs | 1 234 567 |",
        "| limit of the search | 12 ms |",
        "The limit of 12 ms is met",
        "| device | Xavier, tensorrt |",
        "| predicted | 10 ms, from reported blocks |",
        "| measured whole | 11 ms (10.9 to 11.1 ms) |",
        "mIoU 0.512 after 300 steps; trained on streets (10 images).",
        "| road | 0.900 |",
        "| latency.onnx | ONNX, fixed size | 4321 bytes | `abababababababab` |",
        "| stage 1.2 | skip |",
        "- search:\n  - steps: 5\n- seed: 0",
        "```\npaceline search\npaceline export\n```",
        "- torch: 2.13.0",
        "0.485, 0.456, 0.406",
    ):
        assert fact in page, fact


def test_a_cell_cannot_break_its_table() -> None:
    assert "| sky/air | 0.800 |" in CARD.markdown()


def test_what_is_not_known_is_said_to_be() -> None:
    bare = replace(CARD, accuracy=None, recipe={}, objective=None, limit=None, delivery=Delivery()).markdown()
    assert "Not known: `paceline train` and `paceline compare` train and score." in bare
    assert "## Recipe\n\nNot known." in bare
    assert "| searched on | nothing |" in bare
    assert "| measured whole | - |" in bare


def test_a_classifier_is_scored_by_accuracy() -> None:
    page = replace(CARD, accuracy=Accuracy(0.9, {"cat": 0.8}, "pets", 5, "accuracy")).markdown()
    assert "accuracy 0.900 after 5 steps; pets." in page
    assert "| class | accuracy |" in page
    assert "IoU" not in page


def test_classes_are_named_in_the_order_of_the_outputs_where_all_are_known() -> None:
    assert CARD.class_names == (), "two of eleven occurred"
    named = replace(CARD, classes=2)
    assert "- Classes from 0 on: road, sky|air." in named.markdown()
    assert named.to_json()["class_names"] == ["road", "sky|air"]
    told = Accuracy(0.5, {}, "", 1, class_names=("left", "right"))
    assert replace(named, accuracy=told).class_names == ("left", "right")


def test_open_axes_say_which_sizes_the_files_take() -> None:
    assert "with batch 1, height 96, width 192:" in CARD.markdown()
    opened = replace(CARD, open_axes={"batch": "1 or more", "height": "32 to 784", "width": "32 to 784"}).markdown()
    assert "with batch 1 or more, height 32 to 784, width 32 to 784:" in opened


def test_several_limits_and_a_confidence_are_all_named() -> None:
    limits = {"latency on xavier": 0.012, "macs": 2e6}
    page = replace(CARD, limits=limits, confidence=0.95).markdown()
    assert "| limit of the search | latency on xavier: 12 ms, macs: 2 M MACs, with a confidence of 0.95 |" in page


def test_estimates_are_called_so() -> None:
    guessed = Delivery("Xavier", predicted=Interval(0.01, 0.005, 0.02), source="roofline")
    assert "10 ms (5 to 20 ms), from estimated blocks" in replace(CARD, delivery=guessed).markdown()


def test_the_card_for_programs_is_strict_json_with_the_verdict() -> None:
    contents = CARD.contents()
    assert list(contents) == ["latency.card.md", "latency.card.json"]
    assert contents["latency.card.md"].decode() == CARD.markdown()
    read = json.loads(contents["latency.card.json"], parse_constant=refused)
    assert read["schema"] == 1
    assert read["delivery"]["verdict"] == "met"
    assert read["delivery"]["predicted"] == {"mean_s": 0.01, "low_s": None, "high_s": None}
    assert read["normalisation"]["mean"] == [0.485, 0.456, 0.406]
    assert read["units"] == [["stage 1.1", "k3e1g1"], ["stage 1.2", "skip"]]
    assert read["files"][0]["sha256"] == "ab" * 32


def test_a_file_is_known_by_its_bytes() -> None:
    file = ShippedFile.of("a.onnx", "three letters", b"abc")
    assert (file.name, file.what, file.size_bytes) == ("a.onnx", "three letters", 3)
    assert file.sha256.startswith("ba7816bf8f01cfea")


def refused(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")
