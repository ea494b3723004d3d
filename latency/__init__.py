"""How long does it take: measured, or predicted? Knows neither tables nor search spaces."""

from latency.estimate import NOTHING, Estimate, Source, total
from latency.measurement import Environment, Failure, Measurement, Outcome, Runtime, joined
from latency.onnx_export import (
    OPSET,
    build_module,
    example_inputs,
    export_onnx,
    initialise,
    input_names,
    network_module,
)
from latency.operators import OPERATORS, Layer, Operator, network_workload, operator_of, parts
from latency.profiler import Profiler, ProfilingError, TimedRun
from latency.profilers import DummyProfiler, OrtCpuProfiler, known_profilers, open_profiler
from latency.sampling import SamplingPlan, median, median_interval, relative_half_width
from latency.workload import PRECISION_BYTES, Shape, Value, Workload, unique

__all__ = [
    "NOTHING",
    "OPERATORS",
    "OPSET",
    "PRECISION_BYTES",
    "DummyProfiler",
    "Environment",
    "Estimate",
    "Failure",
    "Layer",
    "Measurement",
    "Operator",
    "OrtCpuProfiler",
    "Outcome",
    "Profiler",
    "ProfilingError",
    "Runtime",
    "SamplingPlan",
    "Shape",
    "Source",
    "TimedRun",
    "Value",
    "Workload",
    "build_module",
    "example_inputs",
    "export_onnx",
    "initialise",
    "input_names",
    "joined",
    "known_profilers",
    "median",
    "median_interval",
    "network_module",
    "network_workload",
    "open_profiler",
    "operator_of",
    "parts",
    "relative_half_width",
    "total",
    "unique",
]
