"""What a comparison of searched networks found: plain data, written to and read from JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from devices import WrongUse

SCHEMA = 1


@dataclass(frozen=True)
class Interval:
    """A time with its 95 % interval, in seconds."""

    mean_s: float
    low_s: float
    high_s: float


@dataclass(frozen=True)
class NetworkResult:
    """One network of a comparison.

    Attributes:
        name: what it is called on the screen (``latency-searched``).
        objective: the cost it was searched on, ``macs`` or ``latency``; None for one that nobody searched.
        limit: the limit in the objective's own unit (MACs or seconds); None where there is no objective.
        architecture: the candidate picked in each unit.
        macs: multiply-accumulates of one forward pass.
        parameters: trainable parameters.
        predicted: latency from the table.
        measured: latency of the whole network on the device; None when ``failure`` says why.
        miou: mean intersection over union on the test images, or top-1 accuracy where they have one class each, 0 to 1;
            None when not trained.
        class_iou: intersection over union, or accuracy, of each class that occurs, 0 to 1.
        trained_steps: optimiser steps it was trained for; 0 when it was not.
        failure: why it could not be measured, or None.
        space: the space it belongs to; empty where that is the comparison's.
    """

    name: str
    architecture: tuple[str, ...]
    macs: int
    parameters: int
    predicted: Interval
    measured: Interval | None = None
    objective: str | None = None
    limit: float | None = None
    miou: float | None = None
    class_iou: Mapping[str, float] | None = None
    trained_steps: int = 0
    failure: str | None = None
    space: str = ""


@dataclass(frozen=True)
class Comparison:
    """Searched networks side by side, with what is needed to draw them.

    Attributes:
        created_at: ISO 8601 time in UTC.
        device: the device's identity, name to value, as the table has it.
        runtime: name, versions and thread count of the runtime that measured.
        space: name of the space.
        input_size: height and width of the input, in pixels.
        candidates: names of the candidates of each unit, ``candidates[unit][candidate]``.
        unit_names: a short name of each unit.
        macs: MACs of each candidate, ``macs[unit][candidate]``.
        latency_s: latency of each candidate in seconds, same shape; NaN where it failed on the device.
        fixed_macs: MACs of what every network shares (stem, head, decoder).
        fixed_latency_s: latency of what every network shares, in seconds.
        data: what the networks were trained and scored on, in words.
        networks: the searched networks, and hand-made ones beside them, which may be of other spaces.
        reference_networks: further networks, spread from the fastest to random ones and measured whole, for the
            predicted-against-measured plot.
        rank_correlation: Spearman's rho between MACs and latency, by what was ranked
            (``candidates``, ``networks``; the latter are spread on purpose, which raises it).
        problems: reasons not to trust a number, in words.
        commands: the commands that led here.
        measure: what ``miou`` is called: ``mIoU``, or ``accuracy`` where networks tell the class of a whole picture.
    """

    created_at: str
    device: Mapping[str, Any]
    runtime: Mapping[str, Any]
    space: str
    input_size: tuple[int, int]
    candidates: tuple[tuple[str, ...], ...]
    unit_names: tuple[str, ...]
    macs: tuple[tuple[int, ...], ...]
    latency_s: tuple[tuple[float, ...], ...]
    fixed_macs: int
    fixed_latency_s: float
    data: str
    networks: tuple[NetworkResult, ...]
    reference_networks: tuple[NetworkResult, ...] = ()
    rank_correlation: Mapping[str, float] | None = None
    problems: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    measure: str = "mIoU"

    @property
    def own_networks(self) -> tuple[NetworkResult, ...]:
        """Those of the networks that have the units and candidates of the comparison's space."""
        return tuple(network for network in self.networks if network.space in ("", self.space))

    def write(self, path: Path) -> None:
        """Write the comparison as JSON, making the folder if need be."""
        path.parent.mkdir(parents=True, exist_ok=True)
        known = [[None if seconds != seconds else seconds for seconds in row] for row in self.latency_s]
        values = {"schema": SCHEMA, **asdict(self), "latency_s": known}
        path.write_text(json.dumps(values, indent=1, allow_nan=False) + "\n")

    @staticmethod
    def read(path: Path) -> Comparison:
        """Read what ``write`` wrote.

        Raises:
            WrongUse: the file is missing, is not JSON, or is no comparison of this schema.
        """
        try:
            fields = json.loads(path.read_text())
            schema = fields.pop("schema")
            if schema != SCHEMA:
                raise WrongUse(f"{path} has schema {schema}, this paceline reads {SCHEMA}. Run the comparison again.")
            fields["input_size"] = tuple(fields["input_size"])
            for name in ("candidates", "macs"):
                fields[name] = tuple(tuple(row) for row in fields[name])
            fields["latency_s"] = tuple(
                tuple(math.nan if seconds is None else seconds for seconds in row) for row in fields["latency_s"]
            )
            for name in ("networks", "reference_networks"):
                fields[name] = tuple(_network_from_fields(row) for row in fields[name])
            for name in ("unit_names", "problems", "commands"):
                fields[name] = tuple(fields[name])
            return Comparison(**fields)
        except OSError as error:
            raise WrongUse(f"{path} cannot be read ({error.strerror}). `paceline compare --out` writes one.") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WrongUse(f"{path} is no comparison ({error}). `paceline compare --out` writes one.") from error


def _network_from_fields(fields: dict[str, Any]) -> NetworkResult:
    fields["architecture"] = tuple(fields["architecture"])
    fields["predicted"] = Interval(**fields["predicted"])
    if fields["measured"] is not None:
        fields["measured"] = Interval(**fields["measured"])
    return NetworkResult(**fields)
