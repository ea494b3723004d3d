"""Whether an ONNX model computes what the torch module computes that it was exported from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor, nn

TOLERANCES: Mapping[str, float] = {"fp32": 1e-4, "fp16": 0.1}
"""Largest difference between outputs, as a share of the largest output. Runtimes add in orders of their own and fold
normalisation into weights, which costs a few of the 24 bits of single precision in each of some sixty layers; half
precision has 11 bits."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class OutputDifference:
    """How far two outputs of one input are apart.

    Attributes:
        input_shape: (batch, channels, height, width).
        largest: the largest absolute difference; NaN where one of them is not finite.
        scale: the largest absolute output of torch.
        classes_differing: the share of pixels (of images, for a classifier) with another class on top, 0 to 1.
    """

    input_shape: tuple[int, ...]
    largest: float
    scale: float
    classes_differing: float

    @property
    def relative(self) -> float:
        """The largest difference as a share of the largest output; 0 where both are all zeros."""
        return 0.0 if self.largest == 0 else self.largest / self.scale if self.scale else np.inf

    def is_within(self, tolerance: float) -> bool:
        """Whether the difference is at most that share; never where an output is not finite."""
        return self.relative <= tolerance


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
    """Hold a model's output against torch's, which is computed in float32.

    Args:
        runner: the model.
        module: its origin. It is put into inference mode for the time, and back.
        name: of the model's input.
        x: float32 (batch, channels, height, width).
        half: whether the model reads and writes float16.
    """
    import torch

    modes = {part: part.training for part in module.modules()}
    with torch.inference_mode():
        expected = module.eval()(x).numpy()
    for part, was_training in modes.items():
        part.training = was_training
    read = x.numpy().astype(np.float16 if half else np.float32)
    return _difference(tuple(x.shape), runner.run(**{name: read}), expected)


def _difference(shape: tuple[int, ...], got: Array, expected: Array) -> OutputDifference:
    if got.shape != expected.shape:
        return OutputDifference(shape, np.nan, np.nan, 1.0)
    apart = np.abs(got.astype(np.float64) - expected)
    differing = np.mean(got.argmax(axis=1) != expected.argmax(axis=1))
    return OutputDifference(shape, float(apart.max()), float(np.abs(expected).max()), float(differing))


def _reference(model: bytes) -> Any:
    onnx = import_module("onnx")
    return import_module("onnx.reference").ReferenceEvaluator(onnx.load_from_string(model)).run
