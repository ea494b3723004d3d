"""What all that measure with ONNX Runtime share, on host and device: sessions of one provider, and their inputs.

Devices have old versions: 1.19 is the last for Python 3.8. Before 1.12 they do not read the opset of the models, nor
can the threads of a session be told to stop spinning between runs. Before 1.24 a session does not tell where its nodes
are; with the processor alone they can be nowhere else.
"""

from importlib import import_module
from typing import Any, Dict, Mapping, Sequence, Tuple

from agent.loop import ProfilingError
from agent.runtimes.ort_placement import RECORD_PLACEMENT, placements, refuse_elsewhere

PROCESSOR = "CPUExecutionProvider"

LEAST_VERSION = (1, 12)
"""The first that reads opset 17."""

_STOP_SPINNING = "session.force_spinning_stop"

_SEED = 0


def installed() -> Any:
    """The module."""
    return import_module("onnxruntime")


def version() -> Tuple[int, ...]:
    """The first two parts of the version that is installed."""
    return tuple(int(part) for part in installed().__version__.split(".")[:2])


def common_options(threads: int) -> Dict[str, str]:
    """What every session is told, for the record.

    With several threads, those of a session wait for work by spinning while it runs and sleep between runs. Unasked
    they would spin on for up to a second, and those of the sentinel's session would then compete for the cores with
    those of the session that is timed. The price is that each run wakes its threads once.
    """
    always = {"graph_optimization": "all", "execution": "sequential"}
    return dict(always, spinning="within a run") if threads > 1 else always


def session_options(threads: int) -> Any:
    """Threads, optimisations, and the record of where nodes are.

    Args:
        threads: threads inside an operator.
    """
    onnxruntime = installed()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    # A version that does not know an entry takes no notice of it.
    options.add_session_config_entry(RECORD_PLACEMENT, "1")
    if threads > 1:
        options.add_session_config_entry(_STOP_SPINNING, "1")
    return options


def load(model: bytes, options: Any, provider: str, provider_options: Mapping[str, str]) -> Any:
    """A session that has all nodes where they are wanted.

    Args:
        model: bytes of the ONNX file.
        options: of the session.
        provider: ONNX Runtime's name of the provider.
        provider_options: what it is told.

    Raises:
        ProfilingError: a node is elsewhere, or nobody tells.
        Exception: whatever ONNX Runtime raises for a model that it does not take.
    """
    # Its own fall-back would create the session with other providers, and print that it did.
    session = installed().InferenceSession(
        model, options, providers=[(provider, dict(provider_options))], enable_fallback=0
    )
    if tells_placement():
        refuse_elsewhere(session.get_providers(), placements(session), provider)
    elif session.get_providers() != [PROCESSOR] or provider != PROCESSOR:
        raise ProfilingError("load", f"every node must be in {provider}; ONNX Runtime before 1.24 does not tell")
    return session


def tells_placement() -> bool:
    """Whether this ONNX Runtime tells where nodes are."""
    return hasattr(installed().InferenceSession, "get_provider_graph_assignment_info")


def bound(session: Any, inputs: Mapping[str, Any], memory: str = "cpu") -> Any:
    """A binding of inputs and room for the output, all in the provider's memory, so that no copy is timed.

    Args:
        session: of one output.
        inputs: an array for each input, by name, all of one type.
        memory: ONNX Runtime's name of the memory.
    """
    value_of = installed().OrtValue
    binding = session.io_binding()
    for name, array in inputs.items():
        binding.bind_ortvalue_input(name, value_of.ortvalue_from_numpy(array, memory, 0))
    (output,) = session.get_outputs()
    dtype = next(iter(inputs.values())).dtype
    room = value_of.ortvalue_from_shape_and_type(output.shape, dtype, memory, 0)
    binding.bind_ortvalue_output(output.name, room)
    return binding


def normal_arrays(shapes: Sequence[Tuple[int, ...]], dtype: str) -> Tuple[Any, ...]:
    """Standard normal numbers for the inputs of a model. Times do not depend on them, as long as none is denormal.

    Args:
        shapes: of the arrays.
        dtype: ``float32`` or ``float16``.
    """
    numpy: Any = import_module("numpy")
    random = numpy.random.default_rng(_SEED)
    return tuple(random.standard_normal(shape, dtype="float32").astype(dtype) for shape in shapes)
