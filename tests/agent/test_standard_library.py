"""The agent needs a Python 3.6 and nothing beside it: by its syntax, by its imports, and where it is run."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from latency import Burst, SamplingPlan
from tests.agent.old_pythons import AGENT, run_alone

MODULES = sorted(path.relative_to(AGENT).as_posix() for path in AGENT.rglob("*.py"))

RUNTIMES = {"numpy", "onnxruntime", "pynvml", "tensorrt"}
"""What a device may have; imported inside functions alone, where it is used."""


def imports(node: ast.AST, *, in_function: bool = False) -> Iterator[tuple[str, bool]]:
    """The packages that are imported, and whether inside a function."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name.split(".")[0], in_function) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield (child.module or "").split(".")[0], in_function
        else:
            is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from imports(child, in_function=in_function or is_function)


def foreign(source: str) -> set[str]:
    """What a source imports beside the standard library and the agent, or outside a function."""
    allowed = sys.stdlib_module_names | {"agent"}
    return {
        name
        for name, in_function in imports(ast.parse(source))
        if name not in allowed and not (in_function and name in RUNTIMES)
    }


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_written_in_the_syntax_of_python_3_6(module: str) -> None:
    ast.parse((AGENT / module).read_text(encoding="utf-8"), module, feature_version=(3, 6))


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_the_standard_library_alone_and_runtimes_where_they_are_used(module: str) -> None:
    assert foreign((AGENT / module).read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import json, torch.cuda", {"torch"}),
        ("from devices import Device", {"devices"}),
        ("import tensorrt", {"tensorrt"}),
        ("try:\n    import numpy\nexcept ImportError:\n    pass", {"numpy"}),
        ("def load():\n    import torch", {"torch"}),
        ("class A:\n    import numpy", {"numpy"}),
        ("class A:\n    def load(self):\n        import numpy as np", set()),
        ("from agent.loop import take_burst", set()),
    ],
)
def test_what_does_not_belong_is_found(source: str, found: set[str]) -> None:
    assert foreign(source) == found


IMPORT_ALL = """
import importlib, json, traceback
failed = {}
for name in json.loads(%r):
    try:
        importlib.import_module(name)
    except BaseException:
        failed[name] = traceback.format_exc()
foreign = sorted(name for name in ("devices", "latency", "numpy", "pkg_resources") if name in sys.modules)
sys.stdout.write(json.dumps([failed, foreign]))
"""


def test_every_module_is_imported_by_an_old_python_that_has_nothing_else(old_python: Path, copied_agent: Path) -> None:
    names = [module[: -len(".py")].replace("/", ".").removesuffix(".__init__") for module in MODULES]
    names = ["agent" if name == "__init__" else f"agent.{name}" for name in names]
    done = run_alone(old_python, copied_agent, IMPORT_ALL % json.dumps(names))
    assert (done.returncode, done.stderr) == (0, "")
    failed, others = json.loads(done.stdout)
    assert not failed, "\n".join(failed.values())
    assert others == []


MEASURE = """
import json, time
from types import SimpleNamespace
from agent.loop import PROCESS, TimedRun, burst_json, take_burst, utc_now
from agent.sentinel import Sentinel

def run(calls):
    started = time.perf_counter()
    for _ in range(calls):
        sum(range(3000))
    return time.perf_counter() - started

plan = SimpleNamespace(**json.loads(%r))
taken = take_burst(TimedRun(run), plan, lambda: {"load_1min": 0.5}, lambda: 0, Sentinel(run))
sys.stdout.write(json.dumps(burst_json(taken, utc_now(), PROCESS)))
"""


def test_an_old_python_measures_and_the_host_reads_its_burst(old_python: Path, copied_agent: Path) -> None:
    plan = SamplingPlan(sample_s=1e-3, least_s=0.005, limit_s=0.05)
    done = run_alone(old_python, copied_agent, MEASURE % json.dumps(plan.to_json()))
    assert (done.returncode, done.stderr) == (0, "")
    burst = Burst.from_json(json.loads(done.stdout))
    assert len(burst.samples_s) >= 3
    assert burst.sentinel_s is not None
    assert burst.before.load_1min == 0.5
    assert burst.stopped in {"precise", "most samples", "time limit"}
