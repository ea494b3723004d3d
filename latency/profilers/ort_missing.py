"""Why ONNX Runtime, or one of its providers, cannot be used here."""

from __future__ import annotations

import ctypes
from functools import cache
from importlib import import_module, metadata
from typing import Any

from latency.profiler import Missing

_PACKAGES = ("onnxruntime", "onnxruntime-gpu")
"""Both own the folder onnxruntime/; of two that are installed, the later one has overwritten half of the other."""

_DRIVER = "libcuda.so.1"


def missing_onnxruntime(provider: str, *, extra: str) -> Missing | None:
    """Why ``provider`` cannot be used with the ONNX Runtime that is installed; None when it can.

    Args:
        provider: ONNX Runtime's name for it.
        extra: the extra of this project that brings it.
    """
    try:
        onnxruntime = import_module("onnxruntime")
    except ImportError:
        return Missing(
            "ONNX Runtime is not installed",
            "`pip install 'paceline[ort]'` brings it for the processor, `pip install 'paceline[ort-gpu]'` for an "
            "NVIDIA GPU; never both.",
        )
    reinstall = f"`pip uninstall -y {' '.join(_PACKAGES)} && pip install 'paceline[{extra}]'`"
    if not hasattr(onnxruntime, "InferenceSession"):
        return Missing(
            "the package onnxruntime is there but empty, as it is after onnxruntime and onnxruntime-gpu were both "
            "installed and one was removed",
            f"{reinstall} mends it.",
        )
    if all(map(_is_installed, _PACKAGES)):
        return Missing("onnxruntime and onnxruntime-gpu are both installed, in one folder", f"{reinstall} mends it.")
    if not hasattr(onnxruntime.InferenceSession, "get_provider_graph_assignment_info"):
        return Missing(
            f"ONNX Runtime must be 1.24 or later, the first that tells where nodes run; got {onnxruntime.__version__}",
            f"`pip install --upgrade 'paceline[{extra}]'` brings it.",
        )
    if provider not in onnxruntime.get_available_providers():
        return Missing(f"the ONNX Runtime that is installed has no {provider}", f"{reinstall} brings it.")
    return None


def missing_gpu() -> Missing | None:
    """Why there is no NVIDIA GPU to compute on; None when there is one.

    The driver is asked: ONNX Runtime lists what was compiled in, and its devices only for providers that are plug-ins.
    """
    remedy = "`nvidia-smi` must list a GPU: install NVIDIA's driver, and start a container with `--gpus all`."
    try:
        driver = ctypes.CDLL(_DRIVER)
    except OSError:
        return Missing(f"there is no NVIDIA driver ({_DRIVER})", remedy)
    count = ctypes.c_int(0)
    status = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    return None if status == 0 and count.value > 0 else Missing("NVIDIA's driver finds no GPU", remedy)


@cache
def missing_libraries(provider: str, remedy: str) -> Missing | None:
    """Why a session with ``provider`` cannot be created, found out by creating one of a single node."""
    onnxruntime: Any = import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(_single_node(), options, providers=[provider], enable_fallback=0)
    except ort_errors() as error:
        return Missing(f"{provider} cannot be loaded: {' '.join(str(error).split())}", remedy)
    if provider not in session.get_providers():
        return Missing(f"{provider} cannot be loaded: standard error has the library that it looked for", remedy)
    return None


def _single_node() -> bytes:
    onnx = import_module("onnx")
    float32 = onnx.TensorProto.FLOAT
    x, y = (onnx.helper.make_tensor_value_info(name, float32, [1]) for name in "xy")
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "relu", [x], [y])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def ort_errors() -> tuple[type[Exception], ...]:
    """All errors of ONNX Runtime: one class for each status code, derived from Exception directly; and Python's own."""
    found = vars(import_module("onnxruntime").capi.onnxruntime_pybind11_state).values()
    own = (kind for kind in found if isinstance(kind, type) and issubclass(kind, Exception))
    return (*own, RuntimeError, ValueError)


def _is_installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True
