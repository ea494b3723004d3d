"""ONNX export of a workload. Exporter and opset: docs/decisions/0002-onnx-exporter.md."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from latency.half_precision import to_half_precision
from latency.operators import operator_of
from latency.workload import Workload

if TYPE_CHECKING:
    from torch import Tensor, nn

OPSET = 17
"""The newest opset that TensorRT 8.5, the last for the Xavier, reads; every later runtime reads it too."""

_SEED = 0


def build_module(workload: Workload, *, seed: int = _SEED) -> nn.Module:
    """The torch module of ``workload`` with weights drawn from ``seed``, in training mode.

    The global random state of torch is left as it was.

    Raises:
        WrongUse: there is no such operator, or it does not take what the workload has.
    """
    import torch

    from latency.operators import modules

    operator = operator_of(workload)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = operator.build(workload)
        modules.initialise(module)
    return module


def initialise(module: nn.Module) -> None:
    """Draw the weights of ``module`` anew from torch's global random state, as SqueezeNAS' public code does."""
    from latency.operators import modules

    modules.initialise(module)


def network_module(encoder: Sequence[nn.Module], tap: int | None, decoder: nn.Module) -> nn.Module:
    """The module of a chain of layers and a decoder, made of modules that may be shared with another one.

    Args:
        encoder: layers in order, each reading what the one before it writes.
        tap: index of the layer whose output the decoder reads beside the last one's; None where it reads only that.
        decoder: a module of two inputs, or of one.
    """
    from latency.operators import modules

    return modules.Network(encoder, tap, decoder)


def example_inputs(workload: Workload, *, seed: int = _SEED) -> tuple[Tensor, ...]:
    """Inputs of standard normal numbers, each (batch, channels, height, width).

    They are float16 where the precision is ``fp16``, and float32 otherwise; the numbers are the same up to rounding.
    """
    inputs = _single_precision_inputs(workload, seed)
    return tuple(x.half() for x in inputs) if workload.precision == "fp16" else inputs


def _single_precision_inputs(workload: Workload, seed: int = _SEED) -> tuple[Tensor, ...]:
    import torch

    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(workload.batch, *shape, generator=generator) for shape in workload.inputs)


def input_names(workload: Workload) -> tuple[str, ...]:
    """Names of the inputs in the exported graph."""
    return tuple(f"input_{index}" for index in range(len(workload.inputs)))


def export_onnx(
    workload: Workload, module: nn.Module | None = None, dynamic_axes: Mapping[str, Mapping[int, str]] = {}
) -> bytes:
    """Serialise ``workload`` as an ONNX model in inference mode, of fixed shape unless axes are named.

    Weights, inputs and outputs are float16 where the precision is ``fp16``. For every other one they are float32:
    a runtime that computes in it converts by itself, or says that it does not.

    Args:
        workload: what to export.
        module: a trained module to export in place of one with random weights. The mode of each part is left as it was.
        dynamic_axes: names of axes whose size stays open, by tensor and place. ``latency.export_dynamic`` knows which
            can be.

    Returns:
        The ONNX file's bytes; inputs are named ``input_0``, ``input_1``, the output ``output``.

    Raises:
        WrongUse: there is no such operator, or it does not take what the workload has.
        ValueError: the model has no form in half precision.
    """
    exported = _export_single_precision(workload, module, dynamic_axes)
    return to_half_precision(exported) if workload.precision == "fp16" else exported


def _export_single_precision(
    workload: Workload, module: nn.Module | None, dynamic_axes: Mapping[str, Mapping[int, str]]
) -> bytes:
    import torch

    model = build_module(workload) if module is None else module
    modes = {part: part.training for part in model.modules()}
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        # The exporter announces its own retirement on every call; the decision record says why it is used.
        warnings.simplefilter("ignore", DeprecationWarning)
        # Padding of an odd size is written as a slice that only the runtime folds; the graph is right either way.
        warnings.filterwarnings("ignore", message="Constant folding", category=UserWarning)
        try:
            torch.onnx.export(
                model.eval(),
                _single_precision_inputs(workload),
                str(file),
                dynamo=False,
                opset_version=OPSET,
                input_names=list(input_names(workload)),
                output_names=["output"],
                dynamic_axes={name: dict(axes) for name, axes in dynamic_axes.items()},
            )
        finally:
            for part, was_training in modes.items():
                part.training = was_training
        return file.read_bytes()
