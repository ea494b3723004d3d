"""ONNX Runtime on an NVIDIA GPU: with its own CUDA kernels, or with engines that TensorRT builds."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from functools import cached_property
from importlib import import_module, metadata
from typing import Any, ClassVar, final

from latency.burst import Costs
from latency.profiler import Missing, TimedRun
from latency.profilers.cuda_events import GpuSensors, driver_sensors
from latency.profilers.ort_missing import missing_gpu, missing_libraries, missing_onnxruntime
from latency.profilers.ort_session import OrtProfiler
from latency.sampling import median
from latency.workload import Workload

_DO_NOT_WAIT = "disable_synchronize_execution_providers"
"""Setting of a run: return when everything is launched, and not when it is done."""

_NO_FALLBACK = "session.disable_cpu_ep_fallback"

_LAUNCHES = 5
"""Launches whose median is the host's time to launch one."""


class OrtGpuProfiler(OrtProfiler):
    """Launches the calls of one sample in a row, waits for the last, and takes the host's time over all.

    Nothing waits between calls, as nothing waits between the blocks of a network: waiting for each block would add
    the way to the host and back to every row of a table, and a network has it once. Calls do not overlap, because
    those of one session share a stream. The last call of a sample waits for that stream, so all are done when the
    clock is read. (Waiting is left to the run because ``IOBinding.synchronize_outputs`` does nothing for TensorRT.)

    The processor is forbidden when a session is created, and its nodes are looked up (``ort_placement``). The first
    GPU that CUDA shows is used; ``CUDA_VISIBLE_DEVICES`` chooses another.
    """

    accelerator = "cuda"
    extra = "ort-gpu"
    memory = "cuda"
    precisions = {"fp32": "", "fp16": ""}

    packages: ClassVar[tuple[str, ...]]
    """Packages whose libraries shape the time; the versions of those that are installed are recorded."""

    modules: ClassVar[tuple[str, ...]] = ()
    """Modules that load the provider's libraries when they are imported, where they came as packages."""

    remedy: ClassVar[str]
    """How the provider's libraries are installed."""

    @classmethod
    def missing(cls) -> Missing | None:
        """ONNX Runtime with the provider, a GPU, and the libraries that the provider loads."""
        found = missing_onnxruntime(cls.provider, extra=cls.extra) or missing_gpu()
        if found is not None:
            return found
        cls._load_libraries()
        return missing_libraries(cls.provider, cls.remedy)

    @classmethod
    def _load_libraries(cls) -> None:
        """Load libraries that came as packages: the linker does not look there. What fails here fails again later."""
        with redirect_stdout(io.StringIO()):  # It prints what it does not find.
            import_module("onnxruntime").preload_dlls()
        for module in cls.modules:
            with suppress(ImportError, OSError):
                import_module(module)

    def versions(self) -> Mapping[str, str]:
        """Beside ONNX Runtime and torch: the driver, the CUDA it was built for, and libraries that came as packages."""
        cuda = {"cuda": version} if (version := import_module("onnxruntime").cuda_version) else {}
        return {**super().versions(), **cuda, **_installed(self.packages), **self._sensors.versions()}

    @cached_property
    def _sensors(self) -> GpuSensors:
        return driver_sensors()

    def disturbances(self) -> int:
        """How often the host lost its core, and how often the driver was found holding the clock down."""
        held_down = 0 if self._sensors.disturbances is None else self._sensors.disturbances()
        return super().disturbances() + held_down

    def fixed_options(self) -> Mapping[str, str]:
        """Beside what every session is told: how calls are launched."""
        return {**super().fixed_options(), "launch": "in a row, waiting for the last of a sample"}

    def session_options(self) -> Any:
        """Beside what every session is told: to fail rather than use the processor."""
        options = super().session_options()
        options.add_session_config_entry(_NO_FALLBACK, "1")
        return options

    @contextmanager
    def open(self, workload: Workload) -> Iterator[TimedRun]:
        """A run whose calls are launched in a row."""
        session = self.session(workload)
        launches = Launches(session, self.bound(session, workload))
        yield TimedRun(launches.time_s, launches.costs)


@final
class OrtCudaProfiler(OrtGpuProfiler):
    """Times workloads with ONNX Runtime's CUDA provider, whose convolutions are cuDNN's.

    cuDNN tries all its algorithms in the first call, which is part of the warm-up. ``tf32: yes``
    lets it compute fp32 with the 19 bits of TF32 where the GPU can, as the provider does when it is not told.
    """

    name = "onnxruntime-cuda"
    provider = "CUDAExecutionProvider"
    choices = {"tf32": ("no", "yes")}
    packages = ("nvidia-cudnn-cu12", "nvidia-cudnn-cu13", "nvidia-cublas", "nvidia-cublas-cu12")
    remedy = (
        "`pip install 'onnxruntime-gpu[cuda,cudnn]'` brings CUDA and cuDNN of the versions it was built for; the "
        "driver must be as new."
    )

    def fixed_options(self) -> Mapping[str, str]:
        """Beside what every session on a GPU is told: how cuDNN chooses."""
        return {**super().fixed_options(), "cudnn_conv_algo_search": "exhaustive"}

    def provider_options(self, workload: Workload) -> Mapping[str, str]:
        """The device, cuDNN's search and whether TF32 may be used."""
        tf32 = str(int(self.options["tf32"] == "yes"))
        return {"device_id": "0", "cudnn_conv_algo_search": "EXHAUSTIVE", "use_tf32": tf32}


@final
class OrtTensorrtProfiler(OrtGpuProfiler):
    """Times workloads with ONNX Runtime's TensorRT provider.

    The engine is built while a workload is loaded and never taken from a cache, so that one table's engines all
    come from one builder. fp32 convolutions may use TF32, which the provider has no setting against.
    """

    name = "onnxruntime-tensorrt"
    patience_s = 1800.0
    provider = "TensorrtExecutionProvider"
    packages = ("tensorrt", "tensorrt-cu12", "tensorrt-cu13")
    modules = ("tensorrt",)
    remedy = (
        "Install CUDA, cuDNN and TensorRT of the versions that it was built for: standard error has the library that "
        "it looked for. For libnvinfer.so.10 and CUDA 13 that is `pip install 'tensorrt-cu13<11'`."
    )

    def fixed_options(self) -> Mapping[str, str]:
        """Beside what every session on a GPU is told: what TensorRT does by itself."""
        return {**super().fixed_options(), "tf32": "allowed", "engine_cache": "off", "timing_cache": "off"}

    def provider_options(self, workload: Workload) -> Mapping[str, str]:
        """The device, half precision where the graph has it, and no caches."""
        return {
            "device_id": "0",
            "trt_fp16_enable": str(int(workload.precision == "fp16")),
            "trt_engine_cache_enable": "0",
            "trt_timing_cache_enable": "0",
        }


@final
class Launches:
    """Calls of one session whose device runs by itself.

    Args:
        session: an ``onnxruntime.InferenceSession``.
        binding: its inputs and outputs, in the device's memory.
    """

    def __init__(self, session: Any, binding: Any) -> None:
        self._session = session
        self._binding = binding
        self._only_launch = import_module("onnxruntime").RunOptions()
        self._only_launch.add_run_config_entry(_DO_NOT_WAIT, "1")

    def time_s(self, calls: int) -> float:
        """Seconds from the first launch until the last call is done."""
        started = time.perf_counter()
        for _ in range(calls - 1):
            self._launch()
        self._call()
        return time.perf_counter() - started

    def costs(self) -> Costs:
        """The host's time to launch one call, onto an idle device."""
        return Costs(enqueue_s=median([self._enqueue_s() for _ in range(_LAUNCHES)]))

    def _enqueue_s(self) -> float:
        started = time.perf_counter()
        self._launch()
        enqueue_s = time.perf_counter() - started
        self._call()
        return enqueue_s

    def _launch(self) -> None:
        self._session.run_with_iobinding(self._binding, self._only_launch)

    def _call(self) -> None:
        """One more call, and wait until all are done."""
        self._session.run_with_iobinding(self._binding)


def _installed(packages: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for package in packages:
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found
