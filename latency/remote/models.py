"""The ONNX files of a run on the host: exported once, read from disk whenever one goes to a device."""

from __future__ import annotations

import hashlib
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import final

from devices import NotAvailable
from latency.model_files import onnx_model
from latency.profiler import profiling_errors
from latency.workload import Workload

_ONE_AT_A_TIME = threading.Lock()
"""torch's exporter has one state for the whole process, and a fleet has a thread for each device."""


@dataclass(frozen=True)
class ModelFile:
    """An ONNX file.

    Attributes:
        path: where it lies.
        digest: SHA-256 of its bytes.
        size_bytes: how many there are.
    """

    path: Path
    digest: str
    size_bytes: int


@final
class ExportedModels:
    """A folder of ONNX files that goes with the run. Several devices may share one."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="paceline-")
        self._files: dict[str, ModelFile] = {}

    def of(self, graph: Workload) -> ModelFile:
        """The file of a workload.

        Args:
            graph: the workload, with the precision that the graph shall have.

        Raises:
            ProfilingError: it cannot be exported.
            NotAvailable: this machine's disk is full.
        """
        with _ONE_AT_A_TIME:
            if graph.digest not in self._files:
                with profiling_errors("build"):
                    content = onnx_model(graph)
                self._files[graph.digest] = self._written(graph, content)
            return self._files[graph.digest]

    def _written(self, graph: Workload, content: bytes) -> ModelFile:
        path = Path(self._folder.name) / f"{graph.digest}.onnx"
        try:
            path.write_bytes(content)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise NotAvailable(
                f"An exported model cannot be kept here ({path.parent}: {error.strerror}). Make room, or point TMPDIR "
                "to another disk; the same command goes on with the rest."
            ) from error
        return ModelFile(path, hashlib.sha256(content).hexdigest(), len(content))

    def close(self) -> None:
        """Remove the folder."""
        self._folder.cleanup()
