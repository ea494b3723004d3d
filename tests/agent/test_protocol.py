"""What host and agent say to each other: the description, the agent and the host name the same things."""

from __future__ import annotations

import ast
import inspect
import re

import pytest

from agent import protocol, server
from agent.protocol import BEAT_S, COMMAND, GRACE_S
from latency import RemoteSettings
from latency.remote import agent_session, remote_device

TEXT = protocol.__doc__ or ""

LEAST_BEATS = 3
"""A connection is not given up for a single sign of life that is late."""


def described_requests() -> set[str]:
    return set(re.findall(r'"do": "(\w+)"', TEXT)) | set(re.findall(r"``(bye)``", TEXT))


def strings(module: object) -> set[str]:
    tree = ast.parse(inspect.getsource(module))  # type: ignore[arg-type]
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_the_agent_knows_each_request_that_is_described() -> None:
    assert described_requests() == {"open", "lacks", "store", "drop", "measure", "state", "bye"}
    assert described_requests() <= strings(server)


def test_the_host_asks_for_nothing_that_is_not_described() -> None:
    asked = re.findall(r'\.ask\(\s*"(\w+)"', inspect.getsource(agent_session) + inspect.getsource(remote_device))
    assert set(asked) == described_requests()


def test_each_kind_of_refusal_that_is_described_has_a_way_out() -> None:
    described = re.search(r'"refused":\s+\{"kind": (.+?), "words"', TEXT, re.DOTALL)
    assert described is not None
    kinds = re.findall(r'"([\w\s]+)"', described[1])
    assert set(kinds) == agent_session._WAYS_OUT.keys()


def test_silence_is_several_signs_of_life_long() -> None:
    assert RemoteSettings("dummy").quiet_s >= LEAST_BEATS * BEAT_S


def test_what_lies_on_a_device_waits_as_long_as_the_host_tries_to_come_back() -> None:
    settings = RemoteSettings("dummy")
    assert settings.grace_s == GRACE_S
    assert settings.grace_s >= settings.patience_s


@pytest.mark.parametrize("word", ["walrus", ":=", "f'", 'f"', "->"])
def test_the_command_is_plain_enough_for_any_python(word: str) -> None:
    ast.parse(COMMAND)
    assert word not in COMMAND
