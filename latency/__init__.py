"""How long does it take: measured, or predicted? Knows neither tables nor search spaces."""

from latency.active_choice import most_telling
from latency.architecture_models.architecture_model import LEAST_ARCHITECTURES, ArchitectureModel, fit_architectures
from latency.architecture_models.codes import ArchitectureCodes, one_hot
from latency.architecture_models.codes import counts as candidate_counts
from latency.architecture_models.forms import AdditiveForm
from latency.burst import Burst, Costs
from latency.calibration import LEAST_NETWORKS, Calibration, LeaveOneOut, WholeNetwork, calibrate
from latency.cost_models.boosted_trees import BoostedTrees
from latency.cost_models.chosen import ChosenByCrossValidation
from latency.cost_models.cost_model import CostModel, Timings
from latency.cost_models.files import load_cost_model, save_cost_model
from latency.cost_models.log_times import LogTimes
from latency.cost_models.registry import (
    broken_cost_models,
    find_cost_model,
    known_cost_models,
    shipped_cost_models,
)
from latency.dynamic_export import export_dynamic
from latency.dynamic_shapes import AxisRange, DynamicShape, dynamic_shape
from latency.engine_files import BuiltEngine, build_engine, missing_for_engine
from latency.environment import Environment, Runtime
from latency.estimate import NOTHING, Estimate, Estimates, Source, total
from latency.fresh_process import FreshProcess, Measurer, ProfilerSettings
from latency.measurement import (
    EXCESS_LOAD,
    MOST_DISTURBED,
    UNFINISHED,
    WIDE_INTERVAL,
    Failure,
    Measurement,
    Outcome,
    joined,
)
from latency.model_files import FOLDER_VARIABLE
from latency.onnx_export import (
    OPSET,
    build_module,
    example_inputs,
    export_onnx,
    initialise,
    input_names,
    network_module,
)
from latency.operators import (
    OPERATORS,
    Layer,
    NetworkGraph,
    Operator,
    chain_workload,
    convolution_layer,
    flag_attribute,
    integer_attribute,
    is_network,
    network_workload,
    operator_of,
    parts,
    text_attribute,
)
from latency.output_check import TOLERANCES, OnnxRunner, OutputDifference, output_difference
from latency.plug_in_files import RAISED_BY_CODE, RAISED_BY_LOADING, load_plug_in, loaded_plug_ins
from latency.profiler import Missing, Profiler, ProfilingError, TimedRun
from latency.profilers import (
    DummyProfiler,
    OrtCpuProfiler,
    ReplayProfiler,
    broken_profilers,
    find_profiler,
    is_launch_bound,
    known_profilers,
    open_profiler,
)
from latency.remote import ExportedModels, RemoteDevice, RemoteSettings, RemoteState
from latency.roofline import (
    ROOFLINE,
    ROOFLINE_FACTOR,
    ROOFLINE_LOG_DEVIATION,
    Roofline,
    estimated_target,
    is_estimated,
    nothing_measured,
    open_roofline,
    roofline_environment,
)
from latency.sampling import (
    Z95,
    SamplingPlan,
    lower_quartile,
    median,
    median_interval,
    reason_to_end,
    robust_interval,
)
from latency.sentinel import Sentinel, sentinel_workload
from latency.steadiness import Steadiness, probe_steadiness
from latency.transfer import LEAST_MEASUREMENTS, DeviceTransfer
from latency.workload import PRECISION_BYTES, Shape, Value, Workload, unique

__all__ = [
    "EXCESS_LOAD",
    "FOLDER_VARIABLE",
    "LEAST_ARCHITECTURES",
    "LEAST_MEASUREMENTS",
    "LEAST_NETWORKS",
    "MOST_DISTURBED",
    "NOTHING",
    "OPERATORS",
    "OPSET",
    "PRECISION_BYTES",
    "RAISED_BY_CODE",
    "RAISED_BY_LOADING",
    "ROOFLINE",
    "ROOFLINE_FACTOR",
    "ROOFLINE_LOG_DEVIATION",
    "TOLERANCES",
    "UNFINISHED",
    "WIDE_INTERVAL",
    "Z95",
    "AdditiveForm",
    "ArchitectureCodes",
    "ArchitectureModel",
    "AxisRange",
    "BoostedTrees",
    "BuiltEngine",
    "Burst",
    "Calibration",
    "ChosenByCrossValidation",
    "CostModel",
    "Costs",
    "DeviceTransfer",
    "DummyProfiler",
    "DynamicShape",
    "Environment",
    "Estimate",
    "Estimates",
    "ExportedModels",
    "Failure",
    "FreshProcess",
    "Layer",
    "LeaveOneOut",
    "LogTimes",
    "Measurement",
    "Measurer",
    "Missing",
    "NetworkGraph",
    "OnnxRunner",
    "Operator",
    "OrtCpuProfiler",
    "Outcome",
    "OutputDifference",
    "Profiler",
    "ProfilerSettings",
    "ProfilingError",
    "RemoteDevice",
    "RemoteSettings",
    "RemoteState",
    "ReplayProfiler",
    "Roofline",
    "Runtime",
    "SamplingPlan",
    "Sentinel",
    "Shape",
    "Source",
    "Steadiness",
    "TimedRun",
    "Timings",
    "Value",
    "WholeNetwork",
    "Workload",
    "broken_cost_models",
    "broken_profilers",
    "build_engine",
    "build_module",
    "calibrate",
    "candidate_counts",
    "chain_workload",
    "convolution_layer",
    "dynamic_shape",
    "estimated_target",
    "example_inputs",
    "export_dynamic",
    "export_onnx",
    "find_cost_model",
    "find_profiler",
    "fit_architectures",
    "flag_attribute",
    "initialise",
    "input_names",
    "integer_attribute",
    "is_estimated",
    "is_launch_bound",
    "is_network",
    "joined",
    "known_cost_models",
    "known_profilers",
    "load_cost_model",
    "load_plug_in",
    "loaded_plug_ins",
    "lower_quartile",
    "median",
    "median_interval",
    "missing_for_engine",
    "most_telling",
    "network_module",
    "network_workload",
    "nothing_measured",
    "one_hot",
    "open_profiler",
    "open_roofline",
    "operator_of",
    "output_difference",
    "parts",
    "probe_steadiness",
    "reason_to_end",
    "robust_interval",
    "roofline_environment",
    "save_cost_model",
    "sentinel_workload",
    "shipped_cost_models",
    "text_attribute",
    "total",
    "unique",
]
