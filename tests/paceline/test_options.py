from __future__ import annotations

from pathlib import Path

import pytest
import torch

from devices import Target, WrongUse
from latency import DummyProfiler, Environment, Runtime
from paceline import options
from paceline.options import fill_command, profiler_settings, refuse_idle, use_threads
from search import open_space
from tests.contracts.examples import DEVICE


def test_the_fill_command_names_everything_that_decides_the_workloads() -> None:
    command = fill_command(open_space("demo", (64, 128), 5), Path("t.jsonl"))
    assert command == "profile-device --target local --space demo --input 64x128 --classes 5 --out t.jsonl"


def test_the_fill_command_goes_on_in_the_environment_of_the_table() -> None:
    environment = Environment(DEVICE, Runtime("dummy", {}, 3, {}))
    command = fill_command(open_space("demo"), Path("my table.jsonl"), environment)
    assert command.endswith("--runtime dummy --threads 3 --out 'my table.jsonl'")


def test_the_fill_command_names_another_precision_than_that_of_the_target() -> None:
    command = fill_command(open_space("demo", (64, 128), 5, "fp16"), Path("t.jsonl"))
    assert "--classes 5 --precision fp16 --out t.jsonl" in command


def test_a_runtime_for_gpus_is_asked_only_by_the_process_that_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DummyProfiler, "accelerator", "cuda")
    monkeypatch.setattr(DummyProfiler, "missing", lambda: pytest.fail("it was asked"))
    monkeypatch.setattr(options, "read_timed_device", {"cuda": DEVICE}.__getitem__)
    assert profiler_settings(Target("local", "", "", "dummy", "fp32"), None, 1, []).device == DEVICE


def test_threads_are_left_alone_unless_asked_for() -> None:
    before = torch.get_num_threads()
    use_threads(None)
    assert torch.get_num_threads() == before
    use_threads(1)
    assert torch.get_num_threads() == 1
    torch.set_num_threads(before)


def test_the_fill_command_of_a_table_that_is_named_after_a_target_measures_there_and_in_its_precision() -> None:
    assert "--target xavier" in fill_command(open_space("demo", (64, 128), 5, "fp16"), Path("tables/xavier.jsonl"))
    assert "--precision" not in fill_command(open_space("demo", (64, 128), 5, "fp16"), Path("tables/xavier.jsonl"))
    assert "--precision fp32" in fill_command(open_space("demo", (64, 128), 5), Path("tables/xavier.jsonl"))


def test_options_that_have_no_effect_are_all_named() -> None:
    refuse_idle("Nothing is measured", "local", None, 1, [], {"--again": False})
    with pytest.raises(WrongUse) as refused:
        refuse_idle("Nothing is measured", "xavier", "dummy", 2, ["l2=cold"], {"--again": True})
    named = "--target and --runtime and --threads and --option and --again"
    assert str(refused.value) == f"Nothing is measured, or leave out {named}."
