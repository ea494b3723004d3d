"""Where times come from: what sets two environments apart, and what does not."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from latency import Environment
from tests.contracts.examples import DEVICE, ENVIRONMENT, OTHER_DEVICE, RUNTIME

CHANGES: list[dict[str, Any]] = [
    {"device": OTHER_DEVICE},
    {"runtime": replace(RUNTIME, name="other")},
    {"runtime": replace(RUNTIME, versions={"examplert": "1.3"})},
    {"runtime": replace(RUNTIME, versions={"examplert": "1.2", "torch": "2"})},
    {"runtime": replace(RUNTIME, threads=2)},
    {"runtime": replace(RUNTIME, options={"mode": "slow"})},
    {"runtime": replace(RUNTIME, options={})},
]

WORDS = [
    "name: Example 3000 there, Example 4000 here",
    "runtime: example there, other here",
    "examplert: 1.2 there, 1.3 here",
    "torch: None there, 2 here",
    "threads: 1 there, 2 here",
    "mode: fast there, slow here",
    "mode: fast there, None here",
]


@pytest.mark.parametrize(("change", "words"), list(zip(CHANGES, WORDS, strict=True)), ids=WORDS)
def test_environments_that_differ_have_different_digests_and_say_how(change: dict[str, Any], words: str) -> None:
    other = replace(ENVIRONMENT, **change)
    assert other.digest != ENVIRONMENT.digest
    assert ENVIRONMENT.differences(other) == words


def test_several_differences_are_all_said() -> None:
    other = Environment(OTHER_DEVICE, replace(RUNTIME, threads=2))
    assert ENVIRONMENT.differences(other) == "name: Example 3000 there, Example 4000 here; threads: 1 there, 2 here"


def test_equal_environments_differ_in_nothing() -> None:
    versions = {"b": "2", "a": "1"}
    one = replace(ENVIRONMENT, runtime=replace(RUNTIME, versions=versions))
    other = replace(ENVIRONMENT, runtime=replace(RUNTIME, versions=dict(reversed(versions.items()))))
    assert one.digest == other.digest
    assert one.differences(other) == ""


def test_memory_changes_no_digest_because_it_changes_no_time() -> None:
    larger = replace(ENVIRONMENT, device=replace(DEVICE, memory_bytes=64 * 2**30))
    assert larger.digest == ENVIRONMENT.digest


def test_the_digest_is_the_one_that_tables_were_written_with() -> None:
    assert ENVIRONMENT.digest == "3a45ba24cc6c006a"


def test_an_environment_survives_json() -> None:
    again = Environment.from_json(json.loads(json.dumps(ENVIRONMENT.to_json())))
    assert (again, again.digest) == (ENVIRONMENT, ENVIRONMENT.digest)


def test_an_environment_is_described_in_one_line() -> None:
    assert ENVIRONMENT.describe() == "Example 3000 (x86_64, 4 cores, 8 GiB), example, 1 thread (examplert 1.2)"
    assert replace(RUNTIME, threads=2).describe() == "example, 2 threads (examplert 1.2)"
