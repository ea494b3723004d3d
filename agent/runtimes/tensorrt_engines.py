"""Builds and runs TensorRT engines, with TensorRT 8.5, 10 and 11 and with TensorRT for RTX.

They share most of their interface, and this is written to what they share. Where they differ, the branch asks what a
module has and never which version it is:

- Up to 10 a builder flag allows fp16 or int8 in a network whose types are not fixed. From 11 on, and in RTX, the types
  of the graph are the types that run.
- RTX chooses its kernels without timing any, so it has no timing cache: its class is there and does nothing.
"""

import json
import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Tuple

from agent.loop import ProfilingError

WORKSPACE_MIB = 1024
"""Scratch memory a kernel may ask for; fixed, because the default is all memory there is."""

OPTIMIZATION_LEVEL = 3
"""The default of every version that has levels, set all the same, so that it stays what it was."""

_WEAK_FLAGS: Mapping[str, Tuple[str, ...]] = {"fp32": (), "fp16": ("FP16",), "bf16": ("BF16",), "int8": ("INT8",)}
"""Builder flags for each precision, where there are such flags."""

_GRAPH_TYPES: Mapping[str, str] = {"fp32": "FLOAT", "fp16": "HALF"}
"""What the inputs of a graph of that precision are, in TensorRT's words."""

_DYNAMIC_RANGE = 1.0
"""Of every tensor at int8. The numbers that come out are wrong; the kernels, and so the times, do not depend on it."""


class Port(NamedTuple):
    """One input or output of an engine.

    Attributes:
        name: as in the ONNX file.
        is_input: False for an output.
        dtype: TensorRT's name of its type: FLOAT, HALF, ...
        size_bytes: memory it needs.
    """

    name: str
    is_input: bool
    dtype: str
    size_bytes: int


class Engine:
    """An engine on the device, with one execution context. Holds what it must outlive."""

    def __init__(self, module: Any, logger: Any, plan: bytes) -> None:
        self._module = module
        self._logger = logger
        self._runtime = module.Runtime(logger)
        self._plan_bytes = len(plan)
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise ProfilingError("load", f"TensorRT did not load the engine: {logger.errors()}")
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise ProfilingError("load", f"TensorRT gave no execution context: {logger.errors()}")

    @property
    def ports(self) -> Tuple[Port, ...]:
        """Its inputs and outputs."""
        names = (self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors))
        return tuple(self._port(name) for name in names)

    def _port(self, name: str) -> Port:
        dtype = self._engine.get_tensor_dtype(name)
        size_bytes = self._module.volume(self._engine.get_tensor_shape(name)) * dtype.itemsize
        is_input = self._engine.get_tensor_mode(name) == self._module.TensorIOMode.INPUT
        return Port(name, is_input, dtype.name, size_bytes)

    @property
    def memory_bytes(self) -> int:
        """Scratch memory of one execution, weights and code as they lie in the plan, inputs and outputs."""
        # device_memory_size is gone from 11 and counts only to 2 GiB in some builds before it.
        newer = hasattr(self._engine, "device_memory_size_v2")
        scratch_bytes = self._engine.device_memory_size_v2 if newer else self._engine.device_memory_size
        return int(scratch_bytes) + self._plan_bytes + sum(port.size_bytes for port in self.ports)

    def bind(self, port: Port, address: int) -> None:
        """Say where on the device a tensor lies.

        Raises:
            ProfilingError: TensorRT does not take the address.
        """
        if not self._context.set_tensor_address(port.name, address):
            raise ProfilingError("load", f"TensorRT did not take an address for {port.name}: {self._logger.errors()}")

    def launch(self, stream: int) -> None:
        """Put one execution into a CUDA stream, without waiting.

        Raises:
            ProfilingError: TensorRT refused.
        """
        if not self._context.execute_async_v3(stream):
            raise ProfilingError("run", f"TensorRT did not launch the engine: {self._logger.errors()}")

    def close(self) -> None:
        """Release it, in the order TensorRT asks for, while the device's context is still there."""
        self._context = None
        self._engine = None
        self._runtime = None

    def layers(self) -> Tuple[Any, ...]:
        """What the engine consists of after fusion: for each layer its name, or more, as TensorRT's inspector says."""
        inspector = self._engine.create_engine_inspector()
        report = json.loads(inspector.get_engine_information(self._module.LayerInformationFormat.JSON))
        return tuple(report.get("Layers", ()))


class TensorRt:
    """One TensorRT module and what it can do.

    Args:
        module: ``tensorrt`` or ``tensorrt_rtx``.
    """

    def __init__(self, module: Any) -> None:
        self._module = module

    @property
    def version(self) -> str:
        """The module's own."""
        return str(self._module.__version__)

    @property
    def is_strongly_typed(self) -> bool:
        """Whether the types of the graph are the types that run."""
        return not hasattr(self._module.BuilderFlag, "FP16")

    @property
    def times_tactics(self) -> bool:
        """Whether its builder times kernels to choose among them, and keeps these times in a timing cache."""
        return not hasattr(self._module, "IRuntimeCache")

    @property
    def has_levels(self) -> bool:
        """Whether its builder has optimization levels; 8.5 has not."""
        return hasattr(self._module.IBuilderConfig, "builder_optimization_level")

    def graph_precision(self, precision: str) -> str:
        """The precision that the ONNX graph must have for a workload of ``precision``.

        Up to 10, int8 starts from an fp32 graph, and its inputs and outputs stay fp32; they are converted within the
        time that is measured.

        Raises:
            ProfilingError: this TensorRT cannot run the precision.
        """
        if self.is_strongly_typed:
            refuse_untyped("TensorRT " + self.version, precision)
            return precision
        missing = [flag for flag in _WEAK_FLAGS[precision] if not hasattr(self._module.BuilderFlag, flag)]
        if missing:
            raise ProfilingError("build", f"TensorRT {self.version} has no {precision}: no builder flag {missing[0]}")
        return "fp32" if precision == "int8" else precision

    def graph_precisions(self, precisions: Iterable[str]) -> Dict[str, str]:
        """Those of ``precisions`` that this TensorRT can run, each with that of its graph."""
        found = {}
        for precision in precisions:
            with suppress(ProfilingError):
                found[precision] = self.graph_precision(precision)
        return found

    def build(self, model: bytes, precision: str, *, tf32: bool = False, timing_cache: Optional[Path] = None) -> bytes:
        """Build an engine for the GPU of this machine.

        Args:
            model: an ONNX file of ``graph_precision(precision)``.
            precision: of the workload.
            tf32: whether fp32 may compute in TF32.
            timing_cache: a file in which times of kernels are looked up and kept; None times all of them anew.

        Returns:
            The serialised engine.

        Raises:
            ProfilingError: TensorRT cannot read the model or build the engine, in all its own words.
        """
        logger = self._logger()
        with _null_pointers("build", logger):
            builder = self._module.Builder(logger)
        network = self._parse(builder, logger, model, precision)
        config = self._configure(builder, network, precision, tf32)
        # Not without times_tactics: there the cache does nothing, and each call warns that it will go.
        cache = timing_cache if self.times_tactics else None
        if cache is not None:
            _set_timing_cache(config, cache)
        plan = builder.build_serialized_network(network, config)
        if plan is None:
            raise ProfilingError("build", f"TensorRT built no engine: {logger.errors()}")
        if cache is not None:
            _keep_timing_cache(config, cache)
        return bytes(plan)

    def load(self, plan: bytes) -> Engine:
        """Bring a serialised engine onto the device. A driver must be there: some runtimes crash without one.

        Raises:
            ProfilingError: TensorRT refuses it.
        """
        logger = self._logger()
        with _null_pointers("load", logger):
            return Engine(self._module, logger, plan)

    def _parse(self, builder: Any, logger: Any, model: bytes, precision: str) -> Any:
        network = builder.create_network(self._network_flags())
        parser = self._module.OnnxParser(network, logger)
        if not parser.parse(model):
            words = "; ".join(_parser_words(parser.get_error(index)) for index in range(parser.num_errors))
            raise ProfilingError("build", f"TensorRT cannot read the ONNX file: {words or logger.errors()}")
        if self.is_strongly_typed:
            _refuse_other_types(network, precision)
        return network

    def _network_flags(self) -> int:
        flags = self._module.NetworkDefinitionCreationFlag
        wanted = flags.STRONGLY_TYPED if self.is_strongly_typed else flags.EXPLICIT_BATCH
        return 1 << int(wanted)

    def _configure(self, builder: Any, network: Any, precision: str, tf32: bool) -> Any:
        config = builder.create_builder_config()
        config.set_memory_pool_limit(self._module.MemoryPoolType.WORKSPACE, WORKSPACE_MIB * 2**20)
        config.profiling_verbosity = self._module.ProfilingVerbosity.DETAILED
        if not tf32:
            config.clear_flag(self._module.BuilderFlag.TF32)
        if self.has_levels:
            config.builder_optimization_level = OPTIMIZATION_LEVEL
        if not self.is_strongly_typed:
            for flag in _WEAK_FLAGS[precision]:
                config.set_flag(getattr(self._module.BuilderFlag, flag))
            if precision == "int8":
                _set_dynamic_ranges(network)
        return config

    def _logger(self) -> Any:
        """Collects what TensorRT would otherwise print."""

        class Words(self._module.ILogger):  # type: ignore[name-defined,misc]  # The base comes with the module.
            def __init__(self) -> None:
                super().__init__()
                self.said: List[Tuple[str, str]] = []

            def log(self, severity: Any, message: str) -> None:
                self.said.append((severity.name, message))

            def errors(self) -> str:
                words = [text for severity, text in self.said if severity in {"ERROR", "INTERNAL_ERROR"}]
                return "; ".join(dict.fromkeys(words)) or "it gave no reason"

        return Words()


def refuse_untyped(runtime: str, precision: str) -> None:
    """Refuse a precision that a runtime takes from the graph and that no exported graph has.

    Raises:
        ProfilingError: with the way out.
    """
    needs = {"int8": "a graph with Q/DQ nodes", "bf16": "a graph of that type"}
    if precision in needs:
        raise ProfilingError(
            "build",
            f"{runtime} takes {precision} only from {needs[precision]}, which is not exported so far: measure fp16, "
            f"or {precision} with TensorRT up to 10",
        )


@contextmanager
def _null_pointers(stage: str, logger: Any) -> Iterator[None]:
    """A factory that fails returns a null pointer, which the bindings report as a TypeError of their own."""
    try:
        yield
    except TypeError as error:
        raise ProfilingError(stage, f"TensorRT did not start: {error}; {logger.errors()}") from error


def _parser_words(error: Any) -> str:
    # From 10 on it knows the node's name; before, only its number.
    node = f"{error.node_operator()} {error.node_name()}".strip() if hasattr(error, "node_name") else error.node()
    return f"{error.desc()} (node {node or error.node()})"


def _refuse_other_types(network: Any, precision: str) -> None:
    """Where the graph decides what runs, a graph of another type would be timed under a wrong name."""
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        if tensor.dtype.name != _GRAPH_TYPES[precision]:
            raise ProfilingError(
                "build",
                f"a graph of {precision} must have inputs of type {_GRAPH_TYPES[precision]}; {tensor.name} is "
                f"{tensor.dtype.name}",
            )


def _set_dynamic_ranges(network: Any) -> None:
    for tensor in _tensors(network):
        if tensor.dtype.name == "FLOAT":
            tensor.set_dynamic_range(-_DYNAMIC_RANGE, _DYNAMIC_RANGE)


def _tensors(network: Any) -> Iterable[Any]:
    yield from (network.get_input(index) for index in range(network.num_inputs))
    layers = (network.get_layer(index) for index in range(network.num_layers))
    yield from (layer.get_output(index) for layer in layers for index in range(layer.num_outputs))


def _set_timing_cache(config: Any, file: Path) -> None:
    """Times of another device or version are refused by TensorRT; then the cache starts empty."""
    kept = file.read_bytes() if file.is_file() else b""
    for content in (kept, b""):
        cache = config.create_timing_cache(content)
        if cache is not None and config.set_timing_cache(cache, False):
            return


def _keep_timing_cache(config: Any, file: Path) -> None:
    """What others wrote meanwhile is kept; a file is there whole or not at all."""
    cache = config.get_timing_cache()
    others = config.create_timing_cache(file.read_bytes()) if file.is_file() else None
    if others is not None:
        cache.combine(others, True)
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(bytes(cache.serialize()))
        Path(name).replace(file)
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()


def timing_cache_file(runtime: str, version: str, device: str) -> Path:
    """Where the timing cache lies of one runtime on one device.

    Args:
        runtime: the profiler's name.
        version: of TensorRT.
        device: fingerprint of the device.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "paceline" / f"{runtime}-{version}-{device}.timing"
