"""Models that nobody had to export: stand-ins for runtimes look at their bytes alone."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from latency import ExportedModels, Workload
from latency.remote.models import ModelFile

_MOST_REPEATS = 32


class SmallModels(ExportedModels):  # type: ignore[misc]  # the real one is final, and would export
    """A file of some kilobytes for each workload, which depends on all that changes the time.

    Args:
        folder: where they are put.
        faults: words that the file of a workload begins with, for ``tests.stand_ins.worker``.
    """

    def __init__(self, folder: Path, faults: Mapping[Workload, str] = {}) -> None:
        folder.mkdir(exist_ok=True)
        self._where, self._faults = folder, faults

    def of(self, graph: Workload) -> ModelFile:
        """The file of a workload."""
        path = self._where / f"{graph.digest}.onnx"
        if not path.exists():
            repeats = 1 + graph.inputs[0][0] % _MOST_REPEATS
            path.write_bytes(self._faults.get(graph, "").encode() + graph.digest.encode() * repeats)
        content = path.read_bytes()
        return ModelFile(path, sha256(content).hexdigest(), len(content))

    def close(self) -> None:
        """The folder is the test's."""
