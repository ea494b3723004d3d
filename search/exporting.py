"""Files of a network that is to be used elsewhere: ONNX held against torch, and the weights that go into it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devices import NoAnswer, WrongUse
from latency import (
    OPSET,
    TOLERANCES,
    BuiltEngine,
    DynamicShape,
    OnnxRunner,
    OutputDifference,
    Workload,
    build_module,
    dynamic_shape,
    export_dynamic,
    export_onnx,
    input_names,
    output_difference,
)
from search.checkpoint import layers_digest, load_checkpoint, restore_module
from search.comparison import Comparison
from search.data.batches import DEVIATION, MEAN
from search.model_card import Accuracy, ModelCard, ShippedFile
from search.spaces import Architecture, Space, open_space
from search.trained_network import ENDING, TrainedNetwork

if TYPE_CHECKING:
    from torch import Tensor, nn

_PREFIX = "network"
"""Of the weights in a checkpoint that training wrote."""

_SEEDS = (0, 1)
"""Of the inputs that outputs are compared on at each size."""

_OTHER_BATCH = 3

_GIVE_OTHERS = "Give the NAME.safetensors that `paceline train` or `paceline compare` left of this network."


@dataclass(frozen=True)
class Weights:
    """What a network computes with.

    Attributes:
        module: the network, as it was trained.
        origin: where the weights come from, in words.
        conditions: of the training: seed, steps, rates; empty where they are random.
        accuracy: what the files beside them say of it; None where nothing does.
        command: that trained and scored them; empty where it is not known.
    """

    module: nn.Module
    origin: str
    conditions: Mapping[str, Any] = field(default_factory=dict)
    accuracy: Accuracy | None = None
    command: str = ""

    @property
    def steps_left(self) -> int:
        """Steps that the training had still to take when they were written; 0 where it was over."""
        return int(self.conditions.get("steps", 0)) - int(self.conditions.get("step", self.conditions.get("steps", 0)))


@dataclass(frozen=True)
class ExportedOnnx:
    """An ONNX file that computes what torch does.

    Attributes:
        model: its bytes.
        precision: of weights, inputs and outputs.
        shape: the axes of the input that stay open, and why others do not; neither where it is fixed.
        differences: from torch, one for each input that was tried.
        checked_by: what ran the model.
    """

    model: bytes
    precision: str
    shape: DynamicShape
    differences: tuple[OutputDifference, ...]
    checked_by: str

    @property
    def worst(self) -> OutputDifference:
        """The largest difference, relative to the outputs."""
        return max(self.differences, key=lambda difference: difference.relative)

    @property
    def classes_differing(self) -> float:
        """The largest share of answers with another class on top than torch's, 0 to 1."""
        return max(difference.classes_differing for difference in self.differences)

    def describe(self) -> str:
        """A sentence for the card and the screen."""
        worst, sizes = self.worst, sorted({difference.input_shape for difference in self.differences})
        axes = ", ".join(f"{axis} {size.describe()}" for axis, size in self.shape.ranges.items())
        differs = f"with another class on top in {self.classes_differing:.2%} of the answers at most"
        return (
            f"ONNX, opset {OPSET}, {self.precision}, {f'open axes: {axes}' if axes else 'fixed size'}; "
            f"{len(self.differences)} inputs of {', '.join('x'.join(map(str, size)) for size in sizes)} differ from "
            f"torch by {worst.largest:.2g} at most, {worst.relative:.2g} of the largest output, {differs} (run by "
            f"{self.checked_by})"
        )


def random_weights(space: Space, architecture: Architecture, seed: int = 0) -> Weights:
    """A network that nobody trained, to be timed."""
    module = build_module(space.network(architecture), seed=seed)
    _renew_statistics(module, space)
    return Weights(module, f"random (seed {seed}), with batch-norm statistics of noise: the network is of no use yet")


def trained_weights(space: Space, architecture: Architecture, path: Path) -> Weights:
    """A network with the weights that training left in a file.

    What is known of the accuracy is taken from the files beside it: a ``NAME.train.json`` that is of these very bytes,
    else a ``compare.json`` that knows a network of the file's name and of this architecture.

    Raises:
        WrongUse: the file is missing or damaged, holds no trained weights, or those of another network.
    """
    if not path.is_file():
        raise WrongUse(
            f"{path} is not there. `paceline train` and `paceline compare` write NAME.safetensors into --out."
        )
    try:
        tensors, values = load_checkpoint(path)
    except WrongUse as error:  # Its way out is that of whoever trains.
        raise WrongUse(f"{path} holds no weights that paceline trained. {_GIVE_OTHERS}") from error
    module = build_module(space.network(architecture))
    own = layers_digest(module)
    if values.get(_PREFIX, own) != own:
        raise WrongUse(f"{path} holds the weights of another network. {_GIVE_OTHERS}")
    try:
        restore_module(_PREFIX, module, tensors)
    except RuntimeError as error:  # Torch lists each of hundreds of tensors.
        raise WrongUse(f"{path} holds other tensors than this network has. {_GIVE_OTHERS}") from error
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    conditions = {name: value for name, value in values.items() if name != _PREFIX}
    known = Weights(module, f"{path.name} (sha256 {digest[:16]})", conditions)
    return _with_accuracy(known, path, space.names(architecture))


def exported_onnx(
    space: Space,
    architecture: Architecture,
    module: nn.Module,
    precision: str = "fp32",
    *,
    dynamic: bool = False,
    notes: Mapping[str, str] = {},
) -> ExportedOnnx:
    """Export a network, and hold the file's outputs against torch's.

    With open axes, other sizes are tried as well. What is right there is what the same network computes that is opened
    at that size with the same weights.

    Args:
        space: of the network, in fp32, at the size that the file has, or is best made for.
        architecture: the network.
        module: it built, with the weights to export.
        precision: fp32, or fp16 for a file of half precision.
        dynamic: leave open the axes that can be.
        notes: what the file's metadata shall say beside what follows from the rest, by name.

    Raises:
        NoAnswer: an output differs by more than the precision explains, or is not finite.
        WrongUse: the network reads several tensors.
        ValueError: the network has no form in half precision.
    """
    workload = replace(space.network(architecture), precision=precision)
    shape, others = _open_axes(space, workload) if dynamic else (DynamicShape(), ())
    bare = export_dynamic(workload, module, shape) if dynamic else export_onnx(workload, module)
    model = _with_notes(bare, {**notes, **_known_notes(space, architecture, precision, shape)})
    runner, name = OnnxRunner(model), input_names(workload)[0]
    differences = tuple(
        output_difference(runner, reference, name, x, half=precision == "fp16")
        for reference, x in _trials(space, architecture, module, shape, others)
    )
    found = ExportedOnnx(model, precision, shape, differences, runner.name)
    tolerance = TOLERANCES[precision]
    for difference in differences:
        if not difference.is_within(tolerance):
            raise NoAnswer(_why_not(difference, tolerance, precision))
    return found


def _why_not(difference: OutputDifference, tolerance: float, precision: str) -> str:
    tried = f"The ONNX file does not compute what torch does: on an input of {difference.input_shape}"
    if difference.output_shapes is not None:
        got, expected = difference.output_shapes
        wrong = "One of its operators is exported wrongly; where axes are open, try a fixed size."
        return f"{tried} its output has the shape {got}, and torch's {expected}. {wrong}"
    coarse = "Half precision may be too coarse for these weights: ship fp32. " if precision == "fp16" else ""
    return (
        f"{tried} outputs differ by {difference.largest:.3g}, {difference.relative:.3g} of the largest one, "
        f"where rounding explains {difference.allowed(tolerance):.2g}. {coarse}If outputs are not finite, the training "
        "diverged."
    )


def write_shipped(folder: Path, card: ModelCard, contents: Mapping[str, tuple[bytes, str]]) -> ModelCard:
    """Write the files of a network and its card: all of them, or none.

    All is written under other names before anything takes its own, and a card of before goes first: whenever the
    process is killed, a card is of the files that it lies beside.

    Args:
        folder: is made where it is not there.
        card: of the network; what it says of files is written anew.
        contents: bytes of each file, and what it is in a sentence, by name.

    Returns:
        The card that was written, with the files in it.

    Raises:
        OSError: something cannot be written; what was there before stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    card = replace(card, files=[ShippedFile.of(name, what, content) for name, (content, what) in contents.items()])
    cards = card.contents()
    whole = {**{name: content for name, (content, _) in contents.items()}, **cards}
    parts = {folder / name: folder / f"{name}.part" for name in whole}
    try:
        for part, content in zip(parts.values(), whole.values(), strict=True):
            part.write_bytes(content)
        for name in cards:
            (folder / name).unlink(missing_ok=True)
        for path, part in parts.items():
            part.replace(path)
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
    return card


def engine_words(engine: BuiltEngine, input_size: tuple[int, int]) -> str:
    """What an engine is, in a sentence for the card."""
    return (
        f"engine of {engine.built_by} for batch 1 at {input_size[0]}x{input_size[1]}, {engine.precision}; it runs on "
        f"{engine.device} or its like, with that version only; its outputs were not compared"
    )


def _known_notes(space: Space, architecture: Architecture, precision: str, shape: DynamicShape) -> dict[str, str]:
    """What whoever has only the file needs to use it, and to build the network again."""
    return {
        "space": space.name,
        "architecture": " ".join(space.names(architecture)),
        "input_size": "x".join(map(str, space.input_size)),
        "mean": json.dumps(MEAN),
        "deviation": json.dumps(DEVIATION),
        "precision": precision,
        **{f"open_{axis}": size.describe() for axis, size in shape.ranges.items()},
    }


def _with_notes(model: bytes, notes: Mapping[str, str]) -> bytes:
    """The model with metadata, which ONNX Runtime gives as ``get_modelmeta().custom_metadata_map``."""
    onnx = import_module("onnx")
    parsed = onnx.load_from_string(model)
    onnx.helper.set_model_props(parsed, dict(notes))
    return bytes(parsed.SerializeToString())


def _open_axes(space: Space, workload: Workload) -> tuple[DynamicShape, Sequence[Space]]:
    """What may stay open, and the space at other sizes, which show that it may.

    A user's space may be made for one size; then nobody can say what is right at another one.
    """
    shape = dynamic_shape(workload)
    try:
        return shape, [open_space(space.name, size, space.classes) for size in _other_sizes(space.input_size, shape)]
    except WrongUse as error:
        reason = f"the space cannot be opened at another size: {error}"
        return DynamicShape({"batch": shape.ranges["batch"]}, dict.fromkeys(("height", "width"), reason)), ()


def _trials(
    space: Space, architecture: Architecture, module: nn.Module, shape: DynamicShape, others: Sequence[Space]
) -> Iterator[tuple[nn.Module, Tensor]]:
    """Networks of torch with inputs to compare on, of the space and of the same at other sizes."""
    for seed in _SEEDS:
        yield module, _noise(1, space.input_size, seed)
    if "batch" in shape.ranges:
        yield module, _noise(_OTHER_BATCH, space.input_size, len(_SEEDS))
    for other in others:
        reference = build_module(other.network(architecture))
        reference.load_state_dict(module.state_dict())
        yield reference, _noise(1, other.input_size, len(_SEEDS))


def _other_sizes(size: tuple[int, int], shape: DynamicShape) -> Sequence[tuple[int, int]]:
    """One smaller and one larger that are not round, the least one, and one that differs along one axis only."""
    if not {"height", "width"} <= set(shape.ranges):
        return ()
    least = tuple(shape.ranges[axis].least for axis in ("height", "width"))
    between = tuple((low + side) // 2 | 1 for low, side in zip(least, size, strict=True))
    larger = size[0] + 3, size[1] + 6
    wanted = dict.fromkeys([(between[0], between[1]), larger, (least[0], least[1]), (size[0], between[1])])
    ranges = shape.ranges["height"], shape.ranges["width"]
    return [both for both in wanted if both != size and both[0] in ranges[0] and both[1] in ranges[1]]


def _noise(batch: int, size: tuple[int, int], seed: int) -> Tensor:
    import torch

    return torch.randn(batch, 3, *size, generator=torch.Generator().manual_seed(seed))


def _renew_statistics(module: nn.Module, space: Space) -> None:
    """Without it, the activations of random weights die away towards numbers that no precision holds."""
    import torch
    from torch import nn

    norms = [part for part in module.modules() if isinstance(part, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        module.train()(_noise(2, space.input_size, 0))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def _with_accuracy(weights: Weights, file: Path, names: tuple[str, ...]) -> Weights:
    """With what the files beside them say: that of the training, which knows these bytes, else the comparison's."""
    return _with_training(weights, file, names) or _with_comparison(weights, file, names) or weights


def _with_training(weights: Weights, file: Path, names: tuple[str, ...]) -> Weights | None:
    path = file.with_suffix(ENDING)
    if not path.exists():
        return None
    trained = TrainedNetwork.read(path)
    if trained.architecture != names or trained.weights_sha256 != hashlib.sha256(file.read_bytes()).hexdigest():
        return None
    accuracy = Accuracy(
        trained.score, trained.class_score, trained.data, trained.steps, trained.measure, trained.class_names
    )
    return replace(weights, accuracy=accuracy, command=trained.command)


def _with_comparison(weights: Weights, file: Path, names: tuple[str, ...]) -> Weights | None:
    path = file.with_name("compare.json")
    if not path.exists():
        return None
    comparison = Comparison.read(path)
    steps = weights.conditions.get("step")
    for network in comparison.networks:
        known = (network.name, network.architecture, network.trained_steps)
        if known == (file.stem, names, steps) and network.miou is not None:
            by_class = network.class_iou or {}
            accuracy = Accuracy(network.miou, by_class, comparison.data, network.trained_steps, comparison.measure)
            return replace(weights, accuracy=accuracy, command=comparison.commands[-1] if comparison.commands else "")
    return None
