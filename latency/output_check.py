"""Whether an ONNX model computes what the torch module computes that it was exported from."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor, nn

TOLERANCES: Mapping[str, float] = {"fp32": 16.0, "fp16": 2.0**14}
"""Largest difference between outputs, in multiples of what single precision costs torch itself on the same input.

How much rounding grows from layer to layer is a matter of the network and its weights, so no one number fits all.
Runtimes add in orders of their own and fold normalisation into weights: of the published networks with random weights,
at 32x32 to 224x224, files were 0.4 to 3 times as far from torch in double precision as torch in single precision is.
Half precision has 11 bits in place of 24, which makes each rounding 2^13 times as large; 1600 to 7500 were seen."""

_LEAST_ROUNDING = 1e-6
"""What single precision costs is taken to be at least this share of the largest output: some ten roundings."""

_MOST = 0.5
"""Whatever rounding explains, a difference of half of the largest output is that of another network."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class OutputDifference:
    """How far two outputs of one input are apart.

    Attributes:
        input_shape: (batch, channels, height, width).
        largest: the largest absolute difference; NaN where one of them is not finite.
        scale: the largest absolute output of torch.
        classes_differing: the share of pixels (of images, for a classifier) with another class on top, 0 to 1.
        rounding: the largest difference between torch in single and in double precision, as a share of the largest
            output.
        output_shapes: that of the model's output and that of torch's, where they differ; then there is nothing else to
            compare, and ``largest`` is NaN.
    """

    input_shape: tuple[int, ...]
    largest: float
    scale: float
    classes_differing: float
    rounding: float = 0.0
    output_shapes: tuple[tuple[int, ...], tuple[int, ...]] | None = None

    @property
    def relative(self) -> float:
        """The largest difference as a share of the largest output; 0 where both are all zeros."""
        return 0.0 if self.largest == 0 else self.largest / self.scale if self.scale else np.inf

    def allowed(self, tolerance: float) -> float:
        """The largest relative difference within a tolerance, which is a multiple of the rounding."""
        return min(tolerance * max(self.rounding, _LEAST_ROUNDING), _MOST)

    def is_within(self, tolerance: float) -> bool:
        """Whether it is at most that multiple of the rounding; never where an output is not finite."""
        return self.relative <= self.allowed(tolerance)


@final
class OnnxRunner:
    """Runs an ONNX model on the processor: with ONNX Runtime where it is installed, else with onnx's own reference.

    Attributes:
        name: what runs it, with its version.
    """

    def __init__(self, model: bytes) -> None:
        try:
            runtime = import_module("onnxruntime")
        except ImportError:
            self.name = f"onnx.reference {import_module('onnx').__version__}"
            self._run = _reference(model)
            return
        self.name = f"onnxruntime {runtime.__version__}"
        session = runtime.InferenceSession(model, providers=["CPUExecutionProvider"])
        self._run = session.run

    def run(self, **inputs: Array) -> Array:
        """The output for inputs by name."""
        output: Array = self._run(None, inputs)[0]
        return output


def output_difference(
    runner: OnnxRunner, module: nn.Module, name: str, x: Tensor, *, half: bool = False
) -> OutputDifference:
    """Hold a model's output against torch's, which is computed in double precision.

    Args:
        runner: the model.
        module: its origin, in float32. It is left as it is.
        name: of the model's input.
        x: float32 (batch, channels, height, width).
        half: whether the model reads and writes float16.
    """
    import torch

    single = copy.deepcopy(module).eval()
    with torch.inference_mode():
        rounded = single(x).numpy()
        expected = single.double()(x.double()).numpy()
    read = x.numpy().astype(np.float16 if half else np.float32)
    return _difference(tuple(x.shape), runner.run(**{name: read}), expected, rounded)


def _difference(shape: tuple[int, ...], got: Array, expected: Array, rounded: Array) -> OutputDifference:
    if got.shape != expected.shape:
        return OutputDifference(shape, np.nan, np.nan, 1.0, output_shapes=(got.shape, expected.shape))
    apart, own = np.abs(got.astype(np.float64) - expected), np.abs(rounded - expected)
    differing = np.mean(got.argmax(axis=1) != expected.argmax(axis=1))
    scale = float(np.abs(expected).max())
    return OutputDifference(
        shape, float(apart.max()), scale, float(differing), float(own.max()) / scale if scale else 0.0
    )


def _reference(model: bytes) -> Any:
    onnx = import_module("onnx")
    return import_module("onnx.reference").ReferenceEvaluator(onnx.load_from_string(model)).run
