"""Building and running engines: with TensorRT for RTX as far as it goes without a GPU, and with stand-ins."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.runtimes.tensorrt_engines import TensorRt, timing_cache_file
from latency import ProfilingError, Workload, export_onnx
from latency.cuda_memory import find_cuda
from latency.profiler import Missing
from tests.contracts.examples import OPERATOR_CASES, block
from tests.latency.fake_tensorrt import HOSTILE, KINDS, NAMES, UNLOADABLE, Fake

try:
    import tensorrt_rtx
except (ImportError, OSError):
    tensorrt_rtx = None

needs_rtx = pytest.mark.skipif(tensorrt_rtx is None, reason="tensorrt_rtx is not installed")
VERSIONS = tuple(NAMES)
WEAK = ("8.6.1", "10.3.0")


def half(workload: Workload) -> Workload:
    return replace(workload, precision="fp16")


def refused(stage: str, tensorrt: TensorRt, model: bytes, precision: str = "fp32") -> str:
    with pytest.raises(ProfilingError) as raised:
        tensorrt.build(model, precision)
    assert raised.value.stage == stage
    return str(raised.value)


@pytest.fixture
def rtx() -> TensorRt:
    return TensorRt(tensorrt_rtx)


@needs_rtx
@pytest.mark.parametrize("case", OPERATOR_CASES)
def test_rtx_builds_every_operator(rtx: TensorRt, case: str) -> None:
    assert len(rtx.build(export_onnx(OPERATOR_CASES[case]), "fp32")) > 1000


@needs_rtx
@pytest.mark.parametrize("case", ["inverted residual", "aspp", "network"])
def test_rtx_builds_half_precision_from_a_half_graph(rtx: TensorRt, case: str) -> None:
    workload = half(OPERATOR_CASES[case])
    single, double = (rtx.build(export_onnx(w), w.precision) for w in (workload, OPERATOR_CASES[case]))
    assert single != double


@needs_rtx
def test_rtx_takes_types_from_the_graph_and_times_nothing(rtx: TensorRt) -> None:
    assert rtx.is_strongly_typed
    assert not rtx.times_tactics
    assert rtx.has_levels
    assert rtx.version == tensorrt_rtx.__version__


@needs_rtx
def test_rtx_keeps_no_timing_cache(rtx: TensorRt, tmp_path: Path) -> None:
    rtx.build(export_onnx(block()), "fp32", timing_cache=tmp_path / "cache")
    assert not list(tmp_path.iterdir())


@needs_rtx
def test_rtx_says_why_it_cannot_read_a_file(rtx: TensorRt) -> None:
    assert "Failed to parse the ONNX model" in refused("build", rtx, b"no model")


@needs_rtx
def test_rtx_names_the_node_it_does_not_know(rtx: TensorRt) -> None:
    onnx = pytest.importorskip("onnx")
    value = onnx.helper.make_tensor_value_info
    node = onnx.helper.make_node("Nonsense", ["x"], ["y"], name="oddity")
    ends = [[value(name, onnx.TensorProto.FLOAT, [1])] for name in ("x", "y")]
    opset = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", *ends), opset_imports=opset)
    reason = refused("build", rtx, model.SerializeToString())
    assert "Nonsense oddity" in reason
    assert "Plugin not found" in reason


@needs_rtx
def test_rtx_refuses_a_single_graph_under_the_name_of_half(rtx: TensorRt) -> None:
    reason = refused("build", rtx, export_onnx(block()), "fp16")
    assert "must have inputs of type HALF; input_0 is FLOAT" in reason


@needs_rtx
@pytest.mark.skipif(not isinstance(find_cuda(), Missing), reason="there is a driver")
def test_rtx_without_a_driver_does_not_load_and_says_so(rtx: TensorRt) -> None:
    plan = rtx.build(export_onnx(block()), "fp32")
    with pytest.raises(ProfilingError, match="cudaError 35") as raised:
        rtx.load(plan)
    assert raised.value.stage == "load"


@needs_rtx
def test_rtx_prints_nothing(rtx: TensorRt, capfd: pytest.CaptureFixture[str]) -> None:
    rtx.build(export_onnx(block()), "fp32")
    refused("build", rtx, b"no model")
    assert capfd.readouterr() == ("", "")


@needs_rtx
def test_rtx_builds_in_another_thread_too(rtx: TensorRt) -> None:
    plans: list[bytes] = []
    thread = threading.Thread(target=lambda: plans.append(rtx.build(export_onnx(block()), "fp32")))
    thread.start()
    thread.join()
    assert plans == [rtx.build(export_onnx(block()), "fp32")]


@needs_rtx
@pytest.mark.parametrize("kind", KINDS, ids=[kind.__name__ for kind in KINDS])
def test_the_stand_in_of_11_has_no_name_that_rtx_has_not(kind: type) -> None:
    """RTX has the interface of 11; its names are checked here, those of 8.6 and 10.3 by hand when they were written."""
    fake = getattr(Fake("11.4.0").module, kind.__name__)
    names = {name for name in dir(fake) if not name.startswith("_")} - {"fake"}
    assert names <= set(dir(getattr(tensorrt_rtx, kind.__name__)))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_every_version_builds_fp32_and_fp16(version: str, precision: str) -> None:
    fake = Fake(version)
    tensorrt = TensorRt(fake.module)
    workload = replace(block(), precision=tensorrt.graph_precision(precision))
    model = export_onnx(workload)
    assert tensorrt.build(model, precision) == model
    wanted = [("FP16",)] if precision == "fp16" and version in WEAK else []
    assert fake.said("set_flag") == wanted
    assert fake.said("clear_flag") == [("TF32",)]
    assert fake.said("set_memory_pool_limit") == [("WORKSPACE", 2**30)]


@pytest.mark.parametrize(("version", "flags"), [("8.6.1", 1), ("10.3.0", 1), ("11.4.0", 2)])
def test_a_network_has_an_explicit_batch_or_types_of_its_own(version: str, flags: int) -> None:
    fake = Fake(version)
    assert TensorRt(fake.module).is_strongly_typed == (version == "11.4.0")
    TensorRt(fake.module).build(export_onnx(block()), "fp32", tf32=True)
    assert fake.said("create_network") == [(flags,)]
    assert fake.said("clear_flag") == []


@pytest.mark.parametrize("version", WEAK)
def test_int8_gives_every_tensor_a_range(version: str) -> None:
    fake = Fake(version)
    tensorrt = TensorRt(fake.module)
    assert tensorrt.graph_precision("int8") == "fp32"
    tensorrt.build(export_onnx(block()), "int8")
    assert fake.said("set_flag") == [("INT8",)]
    assert fake.said("set_dynamic_range") == [("input_0", -1.0, 1.0), ("output", -1.0, 1.0)]


@pytest.mark.parametrize(
    ("version", "precision", "reason"),
    [
        ("11.4.0", "int8", "only from a graph with Q/DQ nodes"),
        ("11.4.0", "bf16", "only from a graph of that type"),
        ("8.6.1", "bf16", "no bf16: no builder flag BF16"),
    ],
)
def test_a_precision_it_cannot_run_is_refused_with_the_reason(version: str, precision: str, reason: str) -> None:
    with pytest.raises(ProfilingError, match=reason) as raised:
        TensorRt(Fake(version).module).graph_precision(precision)
    assert raised.value.stage == "build"


def test_10_runs_bf16_by_its_flag() -> None:
    fake = Fake("10.3.0")
    tensorrt = TensorRt(fake.module)
    assert tensorrt.graph_precision("bf16") == "bf16"
    tensorrt.build(export_onnx(replace(block(), precision="bf16")), "bf16")
    assert fake.said("set_flag") == [("BF16",)]


def test_8_5_is_asked_for_no_optimization_level() -> None:
    tensorrt = TensorRt(Fake("8.6.1", has_levels=False).module)
    assert not tensorrt.has_levels
    assert tensorrt.build(export_onnx(block()), "fp32")


@pytest.mark.parametrize(("version", "node"), [("8.6.1", "3"), ("10.3.0", "Odd odd_3"), ("11.4.0", "Odd odd_3")])
def test_all_errors_of_the_parser_are_told(version: str, node: str) -> None:
    reason = refused("build", TensorRt(Fake(version).module), b"no model")
    assert f"no such operator (node {node}); no such type (node {node})" in reason


def test_an_engine_that_cannot_be_built_is_told_in_the_words_of_the_log() -> None:
    assert "no kernel for this layer" in refused("build", TensorRt(Fake("10.3.0").module), HOSTILE)


def test_an_engine_that_cannot_be_loaded_is_told_in_the_words_of_the_log() -> None:
    tensorrt = TensorRt(Fake("10.3.0").module)
    with pytest.raises(ProfilingError, match="cudaError 35") as raised:
        tensorrt.load(tensorrt.build(UNLOADABLE, "fp32"))
    assert raised.value.stage == "load"


def test_a_null_pointer_of_the_bindings_is_a_failure_to_build() -> None:
    fake = Fake("10.3.0")

    def builder(_: Any) -> Any:
        raise TypeError("pybind11::init(): factory function returned nullptr")

    fake.module.__dict__["Builder"] = builder
    assert "factory function returned nullptr" in refused("build", TensorRt(fake.module), b"")


@pytest.mark.parametrize(("version", "scratch_bytes"), [("8.6.1", 1000), ("10.3.0", 2000), ("11.4.0", 1000)])
def test_an_engine_tells_its_ports_and_its_memory(version: str, scratch_bytes: int) -> None:
    model = export_onnx(half(block(12)))
    engine = TensorRt(Fake(version).module).load(model)
    assert [(port.name, port.is_input, port.dtype, port.size_bytes) for port in engine.ports] == [
        ("input_0", True, "HALF", 8 * 8 * 8 * 2),
        ("output", False, "HALF", 12 * 8 * 8 * 2),
    ]
    assert engine.memory_bytes == scratch_bytes + len(model) + (8 + 12) * 8 * 8 * 2
    assert engine.layers() == ({"Name": "conv + relu", "Precision": "FP16"},)


def test_an_engine_is_bound_and_launched_on_a_stream() -> None:
    fake = Fake("8.6.1")
    engine = TensorRt(fake.module).load(export_onnx(block()))
    engine.bind(engine.ports[0], 4096)
    engine.launch(77)
    assert fake.said("set_tensor_address") == [("input_0", 4096)]
    assert fake.said("execute_async_v3") == [(77,)]
    with pytest.raises(ProfilingError, match="did not take an address for output"):
        engine.bind(engine.ports[1], 0)
    fake.launches = False
    with pytest.raises(ProfilingError, match="did not launch"):
        engine.launch(77)


def test_a_timing_cache_grows_from_build_to_build(tmp_path: Path) -> None:
    fake, file = Fake("8.6.1"), tmp_path / "deep" / "cache"
    for content in (b"", b"times;"):
        TensorRt(fake.module).build(export_onnx(block()), "fp32", timing_cache=file)
        assert fake.said("set_timing_cache")[-1] == (content,)
    assert file.read_bytes().startswith(b"times;times;")
    assert list(file.parent.iterdir()) == [file]


def test_what_others_wrote_meanwhile_is_kept(tmp_path: Path) -> None:
    fake, file = Fake("8.6.1"), tmp_path / "cache"
    file.write_bytes(b"old;")
    built = fake.module.Builder.build_serialized_network

    def build(self: Any, network: Any, config: Any) -> Any:
        file.write_bytes(b"theirs;")
        return built(self, network, config)

    fake.module.Builder.build_serialized_network = build
    TensorRt(fake.module).build(export_onnx(block()), "fp32", timing_cache=file)
    assert fake.said("combine") == [(b"theirs;",)]
    assert file.read_bytes() == b"old;times;theirs;"


def test_a_timing_cache_of_another_device_is_not_used(tmp_path: Path) -> None:
    fake, file = Fake("10.3.0"), tmp_path / "cache"
    file.write_bytes(b"of another device")
    TensorRt(fake.module).build(export_onnx(block()), "fp32", timing_cache=file)
    assert fake.said("set_timing_cache") == [(b"of another device",), (b"",)]


def test_without_a_timing_cache_none_is_made() -> None:
    fake = Fake("10.3.0")
    TensorRt(fake.module).build(export_onnx(block()), "fp32")
    assert not fake.said("set_timing_cache")


def test_a_timing_cache_has_a_file_for_each_runtime_version_and_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert timing_cache_file("tensorrt", "8.5.2", "abc") == Path("/cache/paceline/tensorrt-8.5.2-abc.timing")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert timing_cache_file("t", "8", "a").parent == Path.home() / ".cache" / "paceline"
