"""Cost models in files: plain JSON with a schema number, readable by anything and running nothing when it is read.

Schema history:

1. ``{"schema": 1, "kind": "cost model", "model": NAME, "domain": {...}, "state": {...}}``; ``domain`` is what was
   measured, ``state`` what the model of that name learned from it. All times are in seconds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from devices import WrongUse
from latency.cost_models.cost_model import CostModel
from latency.cost_models.registry import find_cost_model

SCHEMA = 1

_KIND = "cost model"


def save_cost_model(model: CostModel, path: Path) -> None:
    """Write a fitted model; a file of that name is replaced, at once or not at all.

    Raises:
        WrongUse: the model is not fitted.
    """
    values = {"schema": SCHEMA, "kind": _KIND, "model": model.name, **model.to_json()}
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.write_text(json.dumps(values, allow_nan=False) + "\n", encoding="utf-8")
    unfinished.replace(path)


def load_cost_model(path: Path) -> CostModel:
    """Read a model that ``save_cost_model`` wrote.

    Raises:
        WrongUse: the file is missing or holds no cost model, its schema is newer than this, or its model is unknown.
    """
    values = _read(path)
    if not isinstance(values, dict) or values.get("kind") != _KIND or not isinstance(values.get("schema"), int):
        raise WrongUse(f"{path} must hold a cost model as save_cost_model writes it; it holds something else.")
    if values["schema"] > SCHEMA:
        raise WrongUse(
            f"{path} has schema {values['schema']}, and this paceline reads up to {SCHEMA}: update paceline, or fit "
            "the model again."
        )
    return find_cost_model(str(values.get("model"))).from_json(values)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise WrongUse(f"There must be a cost model at {path}; it cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise WrongUse(f"{path} must be JSON as save_cost_model writes it; it is not ({error}).") from error
