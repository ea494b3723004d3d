"""ONNX Runtime on the processor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from latency.profilers.ort_session import OrtProfiler
from latency.workload import Workload


@final
class OrtCpuProfiler(OrtProfiler):
    """Times workloads with ONNX Runtime's CPU provider.

    With one thread, the default, there is nobody to wait for; see ``OrtProfiler`` for several.
    """

    name = "onnxruntime-cpu"
    provider = "CPUExecutionProvider"
    extra = "ort"
    precisions = {
        "fp32": "",
        "fp16": "onnxruntime-cpu measures fp32; got fp16, which it computes in fp32 between conversions, so that the "
        "time would be that of neither",
    }

    def provider_options(self, workload: Workload) -> Mapping[str, str]:
        """Nothing: all that it can be told are options of the session."""
        return {}
