"""Stand-ins for the module ``tensorrt``: the names that 8.6.1, 10.3 and 11.4 have, and no GPU.

The names are those of the bindings NVIDIA publishes, read by importing them: what one version lacks raises
AttributeError here too, and so does setting an attribute that a class does not have. What is called is recorded.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any

NAMES = {
    "8.6.1": {
        "BuilderFlag": "FP16 INT8 TF32",
        "NetworkDefinitionCreationFlag": "EXPLICIT_BATCH EXPLICIT_PRECISION",
        "ICudaEngine": "device_memory_size",
        "ParserError": "code desc file func line node",
        "ITensor": "set_dynamic_range",
    },
    "10.3.0": {
        "BuilderFlag": "FP16 INT8 TF32 BF16",
        "NetworkDefinitionCreationFlag": "EXPLICIT_BATCH STRONGLY_TYPED",
        "ICudaEngine": "device_memory_size device_memory_size_v2",
        "ParserError": "code desc file func line node node_name node_operator",
        "ITensor": "set_dynamic_range",
    },
    "11.4.0": {
        "BuilderFlag": "TF32",
        "NetworkDefinitionCreationFlag": "STRONGLY_TYPED",
        "ICudaEngine": "device_memory_size_v2",
        "ParserError": "code desc file func line node node_name node_operator",
        "ITensor": "",
    },
}
"""What differs, of the names that matter here."""

FLAG_VALUES = {"EXPLICIT_BATCH": 0, "EXPLICIT_PRECISION": 1, "STRONGLY_TYPED": 1}

HOSTILE = b"\x08 cannot be built"
UNLOADABLE = b"\x08 cannot be loaded"
"""Models that fail later than in the parser."""


class Strict:
    """Refuses attributes that its class does not name."""

    fake: Any = None

    def __setattr__(self, name: str, value: object) -> None:
        if not name.startswith("_") and not hasattr(type(self), name):
            raise AttributeError(f"{type(self).__name__} has no attribute {name}")
        super().__setattr__(name, value)


class DataType(enum.Enum):
    FLOAT = 4
    HALF = 2
    INT8 = 1

    @property
    def itemsize(self) -> int:
        return int(self.value)


class Severity(enum.Enum):
    INTERNAL_ERROR = 0
    ERROR = 1
    WARNING = 2
    INFO = 3


class ILogger:
    def __init__(self) -> None:
        pass


class Plan(bytes):
    @property
    def nbytes(self) -> int:
        return len(self)


class Fake:
    """A module that is TensorRT of ``version`` as far as this project uses it, with what was called in ``calls``.

    Args:
        version: one of ``NAMES``.
        has_driver: False: engines cannot be loaded.
        has_levels: False, as in 8.5: its builder has no optimization levels.
    """

    def __init__(self, version: str, *, has_driver: bool = True, has_levels: bool = True) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.has_driver = has_driver
        self.has_levels = has_levels
        self.launches = True
        self.builds = 0
        self.names = {kind: names.split() for kind, names in NAMES[version].items()}
        self.module = ModuleType("tensorrt")
        self.module.__dict__.update(
            __version__=version,
            ILogger=ILogger,
            DataType=DataType,
            volume=_volume,
            BuilderFlag=enum.Enum("BuilderFlag", self.names["BuilderFlag"]),
            NetworkDefinitionCreationFlag=enum.IntEnum(
                "NetworkDefinitionCreationFlag",
                {name: FLAG_VALUES[name] for name in self.names["NetworkDefinitionCreationFlag"]},
            ),
            MemoryPoolType=enum.Enum("MemoryPoolType", ["WORKSPACE"]),
            ProfilingVerbosity=enum.Enum("ProfilingVerbosity", ["DETAILED"]),
            TensorIOMode=enum.Enum("TensorIOMode", ["INPUT", "OUTPUT"]),
            LayerInformationFormat=enum.Enum("LayerInformationFormat", ["JSON"]),
        )
        for kind in KINDS:
            setattr(self.module, kind.__name__, type(kind.__name__, (kind,), {"fake": self, **self._own_names(kind)}))

    def _own_names(self, kind: type) -> dict[str, Any]:
        """Members that the class has in this version and not in all."""
        names = self.names.get(kind.__name__, ())
        if kind is ITensor:
            return dict.fromkeys(names, set_dynamic_range)
        if kind is IBuilderConfig:
            return {"builder_optimization_level": 3} if self.has_levels else {}
        if kind is ICudaEngine:
            return {name: 1000 * (index + 1) for index, name in enumerate(names)}
        if kind is ParserError:
            return {name: getattr(ParserAnswers, name) for name in names}
        return {}

    def said(self, name: str) -> list[tuple[Any, ...]]:
        """The arguments of each call of that name."""
        return [call[1:] for call in self.calls if call[0] == name]


def _volume(shape: tuple[int, ...]) -> int:
    product = 1
    for size in shape:
        product *= size
    return product


def _graph(model: bytes) -> Iterator[tuple[str, bool, DataType, tuple[int, ...]]]:
    """The real inputs and outputs of a real ONNX file."""
    import onnx

    graph = onnx.load_from_string(model).graph
    for value, is_input in [*((v, True) for v in graph.input), *((v, False) for v in graph.output)]:
        kind = value.type.tensor_type
        dtype = DataType.HALF if kind.elem_type == onnx.TensorProto.FLOAT16 else DataType.FLOAT
        yield value.name, is_input, dtype, tuple(size.dim_value for size in kind.shape.dim)


class ITensor(Strict):
    def __init__(self, name: str, dtype: DataType, shape: tuple[int, ...]) -> None:
        self._all = (name, dtype, shape)

    name = property(lambda self: self._all[0])
    dtype = property(lambda self: self._all[1])
    shape = property(lambda self: self._all[2])


def set_dynamic_range(tensor: ITensor, low: float, high: float) -> bool:
    tensor.fake.calls.append(("set_dynamic_range", tensor.name, low, high))
    return True


class Layer(Strict):
    num_outputs = 1

    def __init__(self, tensor: ITensor) -> None:
        self._tensor = tensor

    def get_output(self, index: int) -> ITensor:
        return (self._tensor,)[index]


class ITimingCache(Strict):
    def __init__(self, content: bytes) -> None:
        self._content = content

    def combine(self, other: ITimingCache, ignore_mismatch: bool) -> bool:
        self.fake.calls.append(("combine", other._content))
        self._content += other._content
        return True

    def serialize(self) -> Plan:
        return Plan(self._content)


class IBuilderConfig(Strict):
    profiling_verbosity = None

    def set_memory_pool_limit(self, pool: enum.Enum, size_bytes: int) -> None:
        self.fake.calls.append(("set_memory_pool_limit", pool.name, size_bytes))

    def set_flag(self, flag: enum.Enum) -> None:
        self.fake.calls.append(("set_flag", flag.name))

    def clear_flag(self, flag: enum.Enum) -> None:
        self.fake.calls.append(("clear_flag", flag.name))

    def create_timing_cache(self, content: bytes) -> ITimingCache:
        return self.fake.module.ITimingCache(content)

    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
        self.fake.calls.append(("set_timing_cache", cache._content))
        self._cache = cache
        return cache._content != b"of another device"

    def get_timing_cache(self) -> ITimingCache:
        return self._cache


class INetworkDefinition(Strict):
    def __init__(self, flags: int) -> None:
        self._flags, self._inputs, self._outputs, self._model = flags, [], [], b""

    num_inputs = property(lambda self: len(self._inputs))
    num_layers = property(lambda self: len(self._outputs))

    def get_input(self, index: int) -> ITensor:
        return self._inputs[index]

    def get_layer(self, index: int) -> Layer:
        return Layer(self._outputs[index])


class ParserError(Strict):
    def __init__(self, words: str) -> None:
        self._words = words


class ParserAnswers:
    """What the members of a ParserError return."""

    def desc(self) -> str:
        return str(self._words)  # type: ignore[attr-defined]

    def code(self) -> int:
        return 6

    def file(self) -> str:
        return "ModelImporter.cpp"

    def func(self) -> str:
        return "parse"

    def line(self) -> int:
        return 151

    def node(self) -> int:
        return 3

    def node_name(self) -> str:
        return "odd_3"

    def node_operator(self) -> str:
        return "Odd"


class OnnxParser(Strict):
    def __init__(self, network: INetworkDefinition, logger: Any) -> None:
        self._network, self._errors = network, []

    num_errors = property(lambda self: len(self._errors))

    def get_error(self, index: int) -> ParserError:
        return self._errors[index]

    def parse(self, model: bytes) -> bool:
        self._network._model = model
        if model in (HOSTILE, UNLOADABLE):
            return True
        if model.startswith(b"\x08"):
            tensors = [
                (is_input, self.fake.module.ITensor(name, dtype, shape))
                for name, is_input, dtype, shape in _graph(model)
            ]
            self._network._inputs = [tensor for is_input, tensor in tensors if is_input]
            self._network._outputs = [tensor for is_input, tensor in tensors if not is_input]
            return True
        self._errors = [self.fake.module.ParserError("no such operator"), self.fake.module.ParserError("no such type")]
        return False


class Builder(Strict):
    def __init__(self, logger: Any) -> None:
        self._logger = logger

    def create_network(self, flags: int) -> INetworkDefinition:
        self.fake.calls.append(("create_network", flags))
        return self.fake.module.INetworkDefinition(flags)

    def create_builder_config(self) -> IBuilderConfig:
        return self.fake.module.IBuilderConfig()

    def build_serialized_network(self, network: INetworkDefinition, config: IBuilderConfig) -> Plan | None:
        self.fake.builds += 1
        if network._model == HOSTILE:
            self._logger.log(Severity.ERROR, "no kernel for this layer")
            return None
        if hasattr(config, "_cache"):
            config._cache._content += b"times;"
        return Plan(network._model)


class EngineInspector(Strict):
    def get_engine_information(self, layout: enum.Enum) -> str:
        return json.dumps({"Layers": [{"Name": "conv + relu", "Precision": "FP16"}], layout.name: "Bindings"})


class IExecutionContext(Strict):
    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.fake.calls.append(("set_tensor_address", name, address))
        return address > 0

    def execute_async_v3(self, stream: int) -> bool:
        self.fake.calls.append(("execute_async_v3", stream))
        return self.fake.launches


class ICudaEngine(Strict):
    def __init__(self, plan: bytes) -> None:
        self._tensors = {name: (is_input, dtype, shape) for name, is_input, dtype, shape in _graph(plan)}

    num_io_tensors = property(lambda self: len(self._tensors))

    def get_tensor_name(self, index: int) -> str:
        return list(self._tensors)[index]

    def get_tensor_mode(self, name: str) -> enum.Enum:
        modes = self.fake.module.TensorIOMode
        return modes.INPUT if self._tensors[name][0] else modes.OUTPUT

    def get_tensor_dtype(self, name: str) -> DataType:
        return self._tensors[name][1]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self._tensors[name][2]

    def create_execution_context(self) -> IExecutionContext:
        return self.fake.module.IExecutionContext(self)

    def create_engine_inspector(self) -> EngineInspector:
        return self.fake.module.EngineInspector()


class Runtime(Strict):
    def __init__(self, logger: Any) -> None:
        self._logger = logger

    def deserialize_cuda_engine(self, plan: bytes) -> ICudaEngine | None:
        if not self.fake.has_driver or plan == UNLOADABLE:
            self._logger.log(Severity.ERROR, "Error Code 1: Cuda Runtime (cudaError 35)")
            return None
        return self.fake.module.ICudaEngine(plan)


KINDS: tuple[type, ...] = (
    Builder,
    IBuilderConfig,
    OnnxParser,
    ITimingCache,
    ITensor,
    ParserError,
    INetworkDefinition,
    EngineInspector,
    IExecutionContext,
    ICudaEngine,
    Runtime,
)
