"""What is to be known of a network that leaves the house: a model card, for people and for programs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from search.cost import format_cost
from search.data.batches import DEVIATION, MEAN
from search.delivery import Delivery, in_words

SCHEMA = 1

_SOURCES: Mapping[str, str] = {"roofline": "estimated"}
"""Sources whose names are no words for what was done."""


@dataclass(frozen=True)
class ShippedFile:
    """A file that belongs to the network.

    Attributes:
        name: inside the folder.
        what: what it is, in a sentence, with how it was checked.
        sha256: of its bytes.
        size_bytes: how long it is.
    """

    name: str
    what: str
    sha256: str
    size_bytes: int

    @staticmethod
    def of(name: str, what: str, content: bytes) -> ShippedFile:
        """The file that has these bytes; nothing is written."""
        return ShippedFile(name, what, hashlib.sha256(content).hexdigest(), len(content))


@dataclass(frozen=True)
class Accuracy:
    """How good a network is.

    Attributes:
        miou: mean intersection over union, or what ``measure`` says, 0 to 1.
        class_iou: the same by class, for those that occur.
        data: what it was trained and scored on, in words.
        trained_steps: optimiser steps.
        measure: what the score is called: ``mIoU``, or ``accuracy`` of a network that tells the class of a picture.
        class_names: all classes in the order of the outputs; empty where it is not known.
    """

    miou: float
    class_iou: Mapping[str, float]
    data: str
    trained_steps: int
    measure: str = "mIoU"
    class_names: Sequence[str] = ()

    def names_of(self, classes: int) -> tuple[str, ...]:
        """The names of so many classes in the order of the outputs, where they are known; else nothing."""
        return next((tuple(names) for names in (self.class_names, self.class_iou) if len(names) == classes), ())


@dataclass(frozen=True)
class ModelCard:
    """A network with what was promised of it, what is known of it, and what is not.

    Attributes:
        name: of the network.
        created_at: ISO 8601 time in UTC.
        space: that it belongs to.
        input_size: height and width, in pixels.
        classes: that it tells apart.
        units: unit name and candidate of each, in order.
        macs: multiply-accumulates for one image.
        parameters: trainable numbers.
        precision: number format that latencies are of.
        objective: what the search had a limit on; None where nobody searched.
        limit: in seconds, MACs, parameters or bytes; None where there was none.
        delivery: the latency, promised and measured.
        weights: where they come from, in words.
        accuracy: None where it is not known.
        recipe: of search and training, as far as known.
        files: what was written.
        commands: that led here, the first one first.
        versions: of what made the files.
        caveats: what whoever uses it has to know, a sentence each.
        limits: all limits of the search by title (``latency on xavier``), where there were several.
        confidence: how sure the search was to be within a limit on latency, 0.5 to 1; None where it took the best
            single number.
        open_axes: sizes that the ONNX files take, in words, by axis; the others are fixed.
    """

    name: str
    created_at: str
    space: str
    input_size: tuple[int, int]
    classes: int
    units: Sequence[tuple[str, str]]
    macs: int
    parameters: int
    precision: str
    objective: str | None
    limit: float | None
    delivery: Delivery
    weights: str
    accuracy: Accuracy | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)
    files: Sequence[ShippedFile] = ()
    commands: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    caveats: Sequence[str] = ()
    limits: Mapping[str, float] = field(default_factory=dict)
    confidence: float | None = None
    open_axes: Mapping[str, str] = field(default_factory=dict)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Of the outputs, in their order; empty where they are not known."""
        return () if self.accuracy is None else self.accuracy.names_of(self.classes)

    def to_json(self) -> dict[str, Any]:
        """The card as plain values; None where a number is not known."""
        values = asdict(self)
        values["delivery"] |= {"verdict": self.delivery.verdict, "sentences": self.delivery.sentences()}
        normalisation = {"mean": MEAN, "deviation": DEVIATION, "order": "RGB, of values from 0 to 1"}
        more = {"normalisation": normalisation, "class_names": self.class_names}
        known: dict[str, Any] = _known({"schema": SCHEMA, **values, **more})
        return known

    def contents(self) -> dict[str, bytes]:
        """Of its files, ``NAME.card.md`` and ``NAME.card.json``, by name; ``write_shipped`` writes them."""
        values = json.dumps(self.to_json(), indent=1, allow_nan=False) + "\n"
        return {f"{self.name}.card.md": self.markdown().encode(), f"{self.name}.card.json": values.encode()}

    def markdown(self) -> str:
        """The card for people."""
        parts = [f"# {self.name}", *(f"> {caveat}" for caveat in self.caveats)]
        sections = {
            "": self._facts(),
            "Promised and delivered": self._delivered(),
            "Accuracy": self._accuracy(),
            "Files": self._files(),
            "Input and output": self._use(),
            "Architecture": _table(("unit", "candidate"), self.units),
            "Recipe": list(_listed(self.recipe)) or ["Not known."],
            "How it was made": ["```", *self.commands, "```"],
            "Versions": [f"- {name}: {version}" for name, version in self.versions.items()],
        }
        for heading, lines in sections.items():
            parts.append("\n".join([f"## {heading}\n"] * bool(heading) + list(lines)))
        return "\n\n".join(parts) + "\n"

    def _facts(self) -> list[str]:
        height, width = self.input_size
        rows = [
            ("space", f"{self.space} at {height}x{width}, {self.classes} classes"),
            ("MACs", f"{self.macs:,}".replace(",", " ")),
            ("parameters", f"{self.parameters:,}".replace(",", " ")),
            ("searched on", self.objective or "nothing"),
            ("limit of the search", self._limit()),
            ("weights", self.weights),
            ("made at", self.created_at),
        ]
        return _table(("what", ""), rows)

    def _limit(self) -> str:
        if self.objective is None or self.limit is None:
            return "none"
        limits = self.limits or {self.objective: self.limit}
        words = [format_cost(title.partition(" ")[0], limit) for title, limit in limits.items()]
        if self.limits:
            words = [f"{title}: {said}" for title, said in zip(limits, words, strict=True)]
        sure = "" if self.confidence is None else f", with a confidence of {self.confidence:.4g}"
        return f"{', '.join(words)}{sure}"

    def _delivered(self) -> list[str]:
        delivery = self.delivery
        source = _SOURCES.get(delivery.source, delivery.source)
        predicted = "-" if delivery.predicted is None else f"{in_words(delivery.predicted)}, from {source} blocks"
        rows = [
            ("device", delivery.device or "-"),
            ("number format", self.precision),
            ("limit", "-" if delivery.limit_s is None else format_cost("latency", delivery.limit_s)),
            ("predicted", predicted),
            ("measured whole", "-" if delivery.measured is None else in_words(delivery.measured)),
        ]
        return [*delivery.sentences(), "", *_table(("latency", "95 % intervals in brackets"), rows)]

    def _accuracy(self) -> list[str]:
        found = self.accuracy
        if found is None:
            return ["Not known: `paceline train` and `paceline compare` train and score."]
        rows = [(name, f"{share:.3f}") for name, share in found.class_iou.items()]
        said = f"{found.measure} {found.miou:.3f} after {found.trained_steps} steps; {found.data}."
        return [said, "", *_table(("class", found.measure.removeprefix("m")), rows)]

    def _files(self) -> list[str]:
        rows = [(f.name, f.what, f"{f.size_bytes} bytes", f"`{f.sha256[:16]}`") for f in self.files]
        return _table(("file", "what", "size", "sha256 begins"), rows)

    def _use(self) -> Iterator[str]:
        fixed = {"batch": "1", **dict(zip(("height", "width"), map(str, self.input_size), strict=True))}
        sizes = ", ".join(f"{axis} {size}" for axis, size in {**fixed, **self.open_axes}.items())
        yield f"- `input_0`, (batch, 3, height, width) with {sizes}: red, green and blue from 0 to 1, from which the"
        mean, deviation = (", ".join(map(str, numbers)) for numbers in (MEAN, DEVIATION))
        yield f"  mean {mean} is taken off, divided by {deviation} (ImageNet's)."
        yield "- `output`: a score for each class; the highest is the answer."
        yield "- Both are float32, and float16 in files of half precision."
        if self.class_names:
            yield f"- Classes from 0 on: {', '.join(self.class_names)}."
        yield "- The ONNX files have the same in their metadata."


def _listed(values: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield f"{indent}- {name}:"
            yield from _listed(value, indent + "  ")
        else:
            yield f"{indent}- {name}: {value}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [_line(head), _line(["---"] * len(head)), *map(_line, rows)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _known(value: Any) -> Any:
    """Plain values with None in place of NaN, which JSON does not have."""
    if isinstance(value, float):
        return value if value == value else None
    if isinstance(value, Mapping):
        return {name: _known(inner) for name, inner in value.items()}
    return [_known(inner) for inner in value] if isinstance(value, list | tuple) else value
