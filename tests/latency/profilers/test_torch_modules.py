"""PyTorch on the processor."""

from __future__ import annotations

import gc
import importlib.util
import sys
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, final

import pytest
import torch
from torch import Tensor, nn

from devices import Device, NotAvailable, WrongUse
from latency import Failure, Measurement, ProfilingError, Workload
from latency.profilers import torch_modules
from latency.profilers.torch_modules import (
    TorchCompileProfiler,
    TorchCpuProfiler,
    TorchEagerProfiler,
    compiled,
    load_module,
    run_once,
)
from tests.contracts.examples import DEVICE, OPERATOR_CASES, QUICK, block, idle
from tests.contracts.profiler_contract import ProfilerContract

THREADS_OF_OTHERS = 5


@pytest.fixture
def threads_of_others() -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS_OF_OTHERS)
    yield THREADS_OF_OTHERS
    torch.set_num_threads(before)


class TestTorchEagerProfiler(ProfilerContract):
    kind = TorchEagerProfiler


@pytest.mark.slow
class TestTorchCompileProfiler(ProfilerContract):
    kind = TorchCompileProfiler


def failed(workload: Workload) -> Failure:
    outcome = TorchEagerProfiler(DEVICE, idle).measure(workload, QUICK)
    assert isinstance(outcome, Failure)
    return outcome


def spy_on_calls(monkeypatch: pytest.MonkeyPatch, look: Callable[[nn.Module], None]) -> None:
    """Have ``look`` called with the module at each of its calls."""
    load = torch_modules.load_module

    def load_spied(*arguments: Any) -> tuple[nn.Module, tuple[Tensor, ...]]:
        module, inputs = load(*arguments)
        module.register_forward_hook(lambda part, _inputs, _output: look(part))
        return module, inputs

    monkeypatch.setattr(torch_modules, "load_module", load_spied)


@pytest.mark.parametrize("memory_format", torch_modules.MEMORY_FORMATS)
@pytest.mark.parametrize("case", OPERATOR_CASES)
def test_every_operator_runs_in_each_memory_format(case: str, memory_format: str) -> None:
    profiler = TorchEagerProfiler(DEVICE, idle, 1, {"memory_format": memory_format})
    with profiler.open(OPERATOR_CASES[case]) as run:
        assert run(1) > 0


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_half_precisions_run_in_their_own_type(precision: str) -> None:
    workload = replace(block(), precision=precision)
    module, inputs = load_module(workload, "cpu")
    assert module(*inputs).dtype == {"fp16": torch.float16, "bf16": torch.bfloat16}[precision]
    assert isinstance(TorchEagerProfiler(DEVICE, idle).measure(workload, QUICK), Measurement)


def test_a_precision_without_torch_modules_fails_to_build() -> None:
    outcome = failed(replace(block(), precision="int8"))
    assert outcome.stage == "build"
    assert "fp32, fp16, bf16; got int8" in outcome.reason


@pytest.mark.parametrize(
    ("workload", "reason"),
    [
        (Workload("no_such_operator", ((8, 8, 8),)), "There is no operator"),
        (Workload("convolution", ((8, 8, 8),), {"channels": 8}), "takes the attributes"),
        (block(groups=3), "divisible"),
    ],
    ids=["unknown operator", "missing attributes", "groups that do not divide"],
)
def test_a_workload_that_cannot_be_built_says_why(workload: Workload, reason: str) -> None:
    outcome = failed(workload)
    assert outcome.stage == "build"
    assert reason in outcome.reason


def test_weights_and_inputs_lie_in_the_memory_format_that_was_asked_for() -> None:
    for memory_format, order in (("contiguous", torch.contiguous_format), ("channels_last", torch.channels_last)):
        module, inputs = load_module(block(size=9), "cpu", memory_format)
        tensors = [*inputs, *(weight for weight in module.parameters() if weight.dim() == 4 and weight.shape[2] > 1)]
        assert len(tensors) == 2
        assert all(tensor.is_contiguous(memory_format=order) for tensor in tensors)


def test_modules_run_in_evaluation_and_inference_mode_with_the_threads_asked_for(
    monkeypatch: pytest.MonkeyPatch, threads_of_others: int
) -> None:
    seen: set[tuple[bool, bool, int]] = set()
    profiler = TorchEagerProfiler(DEVICE, idle, 3)
    spy_on_calls(
        monkeypatch,
        lambda part: seen.add((part.training, torch.is_inference_mode_enabled(), torch.get_num_threads())),
    )
    with profiler.open(block()) as run:
        assert not torch.is_inference_mode_enabled(), "the caller keeps its own mode"
        run(2)
    assert seen == {(False, True, 3)}
    assert torch.get_num_threads() == threads_of_others


def test_threads_are_restored_after_a_workload_that_failed(threads_of_others: int) -> None:
    assert failed(block(groups=3)).stage == "build"
    assert torch.get_num_threads() == threads_of_others


def test_the_module_is_released_when_the_workload_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    modules: list[weakref.ref[nn.Module]] = []
    profiler = TorchEagerProfiler(DEVICE, idle)
    spy_on_calls(monkeypatch, lambda part: modules.append(weakref.ref(part)))
    assert isinstance(profiler.measure(block(), QUICK), Measurement)
    gc.collect()
    assert modules
    assert modules[0]() is None


@final
class _Astray(nn.Module):
    """Leaves its output where it was not asked for."""

    def __init__(self, **place: Any) -> None:
        super().__init__()
        self.place = place

    def forward(self, x: Tensor) -> Tensor:
        return x.to(**self.place)


@pytest.mark.parametrize(
    ("place", "words"),
    [({"device": "meta"}, "it is on meta in torch.float32"), ({"dtype": torch.bfloat16}, "on cpu in torch.bfloat16")],
    ids=["another device", "another precision"],
)
def test_an_output_that_is_not_where_it_should_be_fails_to_load(place: dict[str, Any], words: str) -> None:
    module, x = _Astray(**place), torch.zeros(1)
    with pytest.raises(ProfilingError, match=r"output must be on cpu in torch\.float32") as raised:
        run_once(lambda: module(x), module, (x,), block(), "cpu")
    assert raised.value.stage == "load"
    assert words in str(raised.value)


def test_a_weight_that_is_not_where_it_should_be_fails_to_load() -> None:
    module, x = nn.Conv2d(1, 1, 1, device="meta"), torch.zeros(1)
    with pytest.raises(ProfilingError, match="weight must be on cpu"):
        run_once(lambda: x, module, (x,), block(), "cpu")


def test_an_error_of_the_first_call_fails_to_load() -> None:
    module, x = nn.Conv2d(3, 3, 1), torch.zeros(1, 4, 8, 8)
    with pytest.raises(ProfilingError, match="RuntimeError: Given groups=1") as raised:
        run_once(lambda: module(x), module, (x,), block(), "cpu")
    assert raised.value.stage == "load"


def test_its_environment_tells_what_shapes_the_time() -> None:
    runtime = TorchEagerProfiler(DEVICE, idle, 1, {"memory_format": "channels_last"}).environment.runtime
    assert runtime.versions["torch"] == torch.__version__
    assert runtime.options == {"memory_format": "channels_last"}


def test_a_module_that_torch_would_not_compile_is_refused() -> None:
    call = compiled(nn.ReLU(), "default")
    with (
        torch.compiler.set_stance("force_eager"),
        pytest.raises(ProfilingError, match="without compiling it; unset TORCH_COMPILE_DISABLE"),
    ):
        call(torch.zeros(1))


@final
class _Breaking(nn.Module):
    """Holds what torch cannot put into a graph."""

    def forward(self, x: Tensor) -> Tensor:
        torch._dynamo.graph_break()
        return x + 1


def test_a_module_of_more_than_one_graph_fails_to_load() -> None:
    module, x = _Breaking(), torch.zeros(1)
    call = compiled(module, "default")
    with pytest.raises(ProfilingError, match="graph_break") as raised:
        run_once(lambda: call(x), module, (x,), block(), "cpu")
    assert raised.value.stage == "load"


@pytest.mark.slow
def test_every_open_workload_is_compiled_once_and_keeps_what_was_compiled() -> None:
    if (missing := TorchCompileProfiler.missing()) is not None:
        pytest.skip(missing.reason)
    profiler = TorchCompileProfiler(DEVICE, idle)
    # What is compiled for one workload must not count against another one.
    graphs = torch._dynamo.utils.counters["stats"]
    with (
        torch._dynamo.config.patch(recompile_limit=1),
        profiler.open(block()) as first,
        profiler.open(block(size=10)) as second,
    ):
        both = graphs["unique_graphs"]
        assert first(2) > 0
        assert second(2) > 0
        assert graphs["unique_graphs"] == both, "nothing is compiled again, or while it is timed"
        with profiler.open(block()):
            assert graphs["unique_graphs"] == both + 1


@pytest.mark.slow
def test_the_compiled_module_computes_what_the_module_does() -> None:
    if (missing := TorchCompileProfiler.missing()) is not None:
        pytest.skip(missing.reason)
    module, inputs = load_module(block(), "cpu")
    with torch.inference_mode():
        torch.testing.assert_close(compiled(module, "default", {"cpp.threads": 1})(*inputs), module(*inputs))


def test_its_environment_names_the_compiler_and_the_mode() -> None:
    if (missing := TorchCompileProfiler.missing()) is not None:
        pytest.skip(missing.reason)
    runtime = TorchCompileProfiler(DEVICE, idle, 2).environment.runtime
    assert runtime.options == {"mode": "default", "fullgraph": "yes", "dynamic": "no"}
    assert any(character.isdigit() for character in runtime.versions["c++"])


def test_cuda_graphs_are_no_mode_of_the_processor() -> None:
    with pytest.raises(
        WrongUse, match="mode must be one of default, max-autotune-no-cudagraphs; got 'reduce-overhead'"
    ):
        TorchCompileProfiler(DEVICE, idle, 1, {"mode": "reduce-overhead"})


def test_without_torch_both_say_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert importlib.util.find_spec("torch") is None
    for kind in (TorchEagerProfiler, TorchCompileProfiler):
        with pytest.raises(NotAvailable, match="pip install torch"):
            construct(kind)


def construct(kind: Callable[..., TorchCpuProfiler]) -> Device:
    return kind(DEVICE, idle).environment.device


def test_without_a_compiler_it_says_which_one_was_looked_for_and_what_brings_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CXX", "clang++-99")
    with pytest.raises(NotAvailable, match=r"no 'clang\+\+-99' on PATH\. `apt install g\+\+`"):
        TorchCompileProfiler(DEVICE, idle)


def test_without_the_headers_of_python_it_says_where_they_should_be(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    compiler = tmp_path / "g++"
    compiler.touch(mode=0o755)
    monkeypatch.setenv("CXX", str(compiler))
    monkeypatch.setattr(torch_modules.sysconfig, "get_path", lambda _: str(tmp_path / "include"))
    with pytest.raises(NotAvailable, match=r"no .*include/Python\.h\. `apt install python3-dev`"):
        TorchCompileProfiler(DEVICE, idle)
