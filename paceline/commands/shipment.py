"""A network that is shipped: what it was promised, and what its card and its files say of it."""

from __future__ import annotations

import json
import platform
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import final

from devices import WrongUse
from latency import operator_of
from paceline.commands.show import open_network
from paceline.screen import size_text
from search import (
    BY_HAND,
    PUBLISHED,
    Architecture,
    Delivery,
    ExportedOnnx,
    ModelCard,
    SearchResult,
    Space,
    Weights,
    format_cost,
)

_ANOTHER_CLASS = 0.01
"""From this share of answers on with another class on top than torch has, the card warns. Noise, which files are tried
on, has more pixels on the border between two classes than images have."""


@final
@dataclass(frozen=True)
class Shipment:
    """A network, opened in single precision, and the search that it comes from if it does."""

    name: str
    space: Space
    architecture: Architecture
    result: SearchResult | None

    def limit_on(self, table: Path | None) -> float | None:
        """The limit on its latency that it was searched under, in seconds; None where there was none.

        Raises:
            WrongUse: it had to keep one on each of several devices, and the table is called as none of them.
        """
        if self.result is None:
            return None
        first = {} if self.result.limit is None else {self.result.objective: self.result.limit}
        limits = self.result.limits or first
        on = {title.partition(" on ")[2]: limit for title, limit in limits.items() if title.startswith("latency")}
        if len(on) < 2:
            return next(iter(on.values()), None)
        if table is not None and table.stem not in on:
            raise WrongUse(
                f"{self.name} was searched under limits on {' and '.join(on)}, and {table} is called as none of them. "
                "Say which one counts, as --limit 30ms."
            )
        return None if table is None else on[table.stem]

    def at(self, precision: str) -> Space:
        """Its space in another number format."""
        if self.result is not None:
            return self.result.open(precision)[0]
        return open_network(self.name, self.space.input_size, self.space.classes, precision)[0]


def open_shipment(network: str, input_size: tuple[int, int] | None, classes: int | None) -> Shipment:
    """A published network by name, or a searched one by the file that it was written to.

    Raises:
        WrongUse: there is no such network, or a searched one is asked for with another size or other classes.
    """
    space, architecture = open_network(network, input_size, classes)
    if network in PUBLISHED:
        return Shipment(network, space, architecture, None)
    result = SearchResult.read(Path(network))
    return Shipment(result.name, space, architecture, result)


def card_of(
    found: Shipment, weights: Weights, delivery: Delivery, precision: str, models: Mapping[str, ExportedOnnx]
) -> ModelCard:
    """The card, but for the files and caveats.

    Args:
        found: the network.
        weights: what it computes with.
        delivery: its latency, promised and measured.
        precision: number format that latencies are of.
        models: what its ONNX files will hold, by their names.
    """
    workload, result = found.space.network(found.architecture), found.result
    operator = operator_of(workload)
    searched = result if result is not None and result.strategy != BY_HAND else None
    shape = next(iter(models.values())).shape
    return ModelCard(
        name=found.name,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        space=found.space.name,
        input_size=found.space.input_size,
        classes=found.space.classes,
        units=tuple(zip((unit.name for unit in found.space.units), found.space.names(found.architecture), strict=True)),
        macs=operator.macs(workload),
        parameters=operator.parameters(workload),
        precision=precision,
        objective=None if searched is None else searched.objective,
        limit=None if searched is None else searched.limit,
        limits={} if searched is None else searched.limits,
        confidence=None if searched is None else searched.confidence,
        delivery=delivery,
        weights=weights.origin,
        accuracy=weights.accuracy,
        recipe={**({"search": dict(searched.recipe)} if searched and searched.recipe else {}), **weights.conditions},
        open_axes={axis: size.describe() for axis, size in shape.ranges.items()},
        commands=(
            *filter(None, ["" if result is None else result.command, weights.command]),
            shlex.join(["paceline", *sys.argv[1:]]),
        ),
        versions={
            "python": platform.python_version(),
            **{package: metadata.version(package) for package in ("paceline", "torch", "onnx", "numpy")},
        },
    )


def caveats_of(card: ModelCard, found: Shipment, weights: Weights, models: Mapping[str, ExportedOnnx]) -> list[str]:
    """What whoever uses the network has to know, a sentence each; arguments as of ``card_of``."""
    said = list(card.delivery.doubts)
    if not weights.conditions:
        said.append("The weights are random: times are right, answers are not.")
    elif weights.steps_left:
        said.append(f"The training was not over: {weights.steps_left} of {weights.conditions['steps']} steps are left.")
    elif weights.accuracy is None:
        said.append("How good its answers are is not known: no word of a training or comparison lies beside them.")
    if card.open_axes and card.delivery.device:
        size = size_text(card.input_size)
        said.append(f"Latencies are those at {size} and batch 1 with that size fixed; open axes cost more.")
    if card.precision not in ("fp32", "fp16"):
        said.append(f"Latencies are of {card.precision}, which a runtime makes of the file in fp32 by itself.")
    for name, onnx in models.items():
        if weights.conditions and onnx.classes_differing > _ANOTHER_CLASS:
            said.append(f"{name} puts another class on top than torch in {onnx.classes_differing:.1%} of its answers.")
    if found.result is not None and found.result.note:
        said.append(found.result.note)
    return list(dict.fromkeys(said))


def notes_of(found: Shipment, weights: Weights, delivery: Delivery) -> dict[str, str]:
    """What an ONNX file shall say of itself to whoever has lost the card, beside what follows from the network."""
    names = () if weights.accuracy is None else weights.accuracy.names_of(found.space.classes)
    return {
        "name": found.name,
        "classes": json.dumps(names or found.space.classes),
        "weights": weights.origin,
        **({} if delivery.limit_s is None else {"limit": format_cost("latency", delivery.limit_s)}),
        "made_by": f"paceline {metadata.version('paceline')}",
    }
