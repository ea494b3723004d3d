"""A runtime that times nothing, for tests: it needs no software, and no real time passes."""

import hashlib
import random
from contextlib import contextmanager
from pathlib import Path
from typing import Dict, Iterator, Optional

from agent.loop import ProfilingError, TimedRun
from agent.runtimes.runtime import PRECISIONS, Missing, Model, Runtime

_SECONDS_PER_BYTE = 1e-8
_SECONDS_PER_CALL = 1e-6
_NOISE = 0.01

BROKEN = b"broken"
"""A model that ends with this is declared broken, and fails to load."""


class DummyRuntime(Runtime):
    """Invents times from the size of a model, with reproducible noise, without waiting for them."""

    name = "dummy"

    @classmethod
    def missing(cls) -> Optional[Missing]:
        """Nothing: it is always there."""
        return None

    def versions(self) -> Dict[str, str]:
        """None."""
        return {}

    def graph_precisions(self) -> Dict[str, str]:
        """All, as they are."""
        return {precision: precision for precision in PRECISIONS}

    @contextmanager
    def open(self, model: Model) -> Iterator[TimedRun]:
        """A run whose time is invented."""
        content = Path(model.path).read_bytes()
        if content.endswith(BROKEN):
            raise ProfilingError("load", "declared broken")
        draw = random.Random(hashlib.sha256(content).hexdigest())
        seconds = _SECONDS_PER_CALL + _SECONDS_PER_BYTE * len(content)
        yield TimedRun(lambda calls: calls * seconds * abs(draw.gauss(1, _NOISE)))
