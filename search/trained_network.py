"""What training one network came to, as a file beside its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from devices import WrongUse

SCHEMA = 1

ENDING = ".train.json"
"""Of the file beside ``NAME.safetensors``."""


@dataclass(frozen=True)
class TrainedNetwork:
    """A network that was trained and scored.

    Attributes:
        name: what it is called.
        created_at: ISO 8601 time in UTC.
        space: name of its space.
        input_size: height and width, in pixels.
        classes: number of classes.
        architecture: the candidate picked in each unit.
        weights: name of the file with its weights, beside this one.
        weights_sha256: of that file.
        data: what it was trained and scored on, in words.
        steps: optimiser steps.
        measure: what the score is called: ``mIoU`` or ``accuracy``.
        score: 0 to 1.
        class_score: the same by class, for those that occur.
        seed: of weights, order and augmentation.
        recipe: settings of the training.
        teacher: the network it learnt from beside the labels; empty where there was none.
        processes: that trained it together.
        device: what they trained on: ``cpu`` or ``cuda``.
        command: the command line.
        class_names: all classes in the order of the network's outputs; empty where nobody noted them.
    """

    name: str
    created_at: str
    space: str
    input_size: tuple[int, int]
    classes: int
    architecture: tuple[str, ...]
    weights: str
    weights_sha256: str
    data: str
    steps: int
    measure: str
    score: float
    class_score: Mapping[str, float]
    seed: int
    recipe: Mapping[str, Any]
    teacher: str = ""
    processes: int = 1
    device: str = "cpu"
    command: str = ""
    class_names: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {"schema": SCHEMA, **asdict(self)}

    def write(self, folder: Path) -> Path:
        """Write ``NAME.train.json``; returns its path."""
        path = folder / f"{self.name}{ENDING}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.to_json(), indent=1, allow_nan=False) + "\n")
        return path

    @staticmethod
    def read(path: Path) -> TrainedNetwork:
        """Read what ``write`` wrote.

        Raises:
            WrongUse: the file is missing or holds something else.
        """
        try:
            values = json.loads(path.read_text())
            schema = values.pop("schema")
            if schema != SCHEMA:
                raise WrongUse(f"{path} has schema {schema}, this paceline reads {SCHEMA}. Train again.")
            values["input_size"] = tuple(values["input_size"])
            values["architecture"] = tuple(values["architecture"])
            values["class_names"] = tuple(values.get("class_names", ()))
            return TrainedNetwork(**values)
        except OSError as error:
            raise WrongUse(f"{path} cannot be read ({error.strerror}). `paceline train --out` writes one.") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WrongUse(f"{path} tells of no training ({error}). `paceline train --out` writes one.") from error
