"""What is common to all runtimes of the agent."""

from __future__ import annotations

import pytest

from agent.runtimes import RUNTIMES, Input, Missing, Model, Unavailable


def test_a_model_is_read_as_the_protocol_writes_it() -> None:
    inputs = [{"name": "input_0", "shape": [2, 3, 4, 5], "type": "float16"}]
    model = Model.from_json({"path": "/tmp/models/ab", "precision": "fp16", "inputs": inputs})  # noqa: S108
    assert model == Model("/tmp/models/ab", "fp16", [Input("input_0", (2, 3, 4, 5), "float16")])  # noqa: S108


def test_what_is_unavailable_says_why_and_what_to_do_in_one_line() -> None:
    error = Unavailable("it is not there", "Put it there.")
    assert error.missing == Missing("it is not there", "Put it there.")
    assert str(error) == "it is not there. Put it there."


@pytest.mark.parametrize("name", RUNTIMES)
def test_each_says_whether_it_can_be_used_here(name: str) -> None:
    missing = RUNTIMES[name].missing()
    assert missing is None or (missing.reason and missing.remedy)
