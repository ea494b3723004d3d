"""A thousand workloads over a connection that is cut again and again: nothing lost, nothing doubled, bounded memory."""

from __future__ import annotations

import resource
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import cast

import pytest

from devices import SshTransport
from latency import ExportedModels, RemoteDevice, RemoteSettings, SamplingPlan, Workload
from latency.remote.models import ModelFile
from lut import appending, fill
from lut.rows import read_lines
from tests.sshd import OpenSshServer, own_ssh_server, wait_until

__all__ = ["own_ssh_server"]

_WORKLOADS = 1000
_CUT_EVERY_S = 1.0
_MOST_GROWTH_KIB = 64 * 1024
"""What this process may grow by: a thousand models of a kilobyte and their rows are far below."""

_QUICK = SamplingPlan(warm_up_s=0.0, sample_s=1e-6, least_s=0.0, limit_s=0.01, least_bursts=1, most_bursts=1)


class _SmallFiles:
    """Models that nobody had to export: the dummy runtime looks at their sizes alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, graph: Workload) -> ModelFile:
        path = self._folder / f"{graph.digest}.onnx"
        if not path.exists():
            path.write_bytes(graph.digest.encode() * (1 + graph.inputs[0][0] % 32))
        content = path.read_bytes()
        return ModelFile(path, sha256(content).hexdigest(), len(content))


@contextmanager
def _cutting(server: OpenSshServer, table: Path) -> Iterator[list[int]]:
    """Cut all connections every now and then; yields how many were cut each time.

    Only where a row came since the last time: on a machine that takes longer to come back, nothing would ever come.
    """
    ended, cuts = threading.Event(), list[int]()

    def cut() -> None:
        had = 0
        while not ended.wait(_CUT_EVERY_S):
            rows = table.read_bytes().count(b"\n")
            if rows > had:
                had = rows
                cuts.append(len(server.connections()))
                server.cut()

    thread = threading.Thread(target=cut)
    thread.start()
    try:
        yield cuts
    finally:
        ended.set()
        thread.join()


@pytest.mark.slow
def test_a_thousand_workloads_survive_a_connection_that_is_cut_again_and_again(
    tmp_path: Path, own_ssh_server: OpenSshServer
) -> None:
    attributes = {"channels": 8, "kernel": 3, "stride": 1}
    workloads = [Workload("convolution", ((channels, 8, 8),), attributes) for channels in range(1, _WORKLOADS + 1)]
    for folder in ("models", "device"):
        (tmp_path / folder).mkdir()
    settings = RemoteSettings("dummy", python=sys.executable, base=str(tmp_path / "device"), first_wait_s=0.01)
    models = cast("ExportedModels", _SmallFiles(tmp_path / "models"))
    said = list[str]()
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with (
        SshTransport(own_ssh_server.connection()) as transport,
        RemoteDevice(transport, settings, tell=said.append, models=models) as device,
        appending(tmp_path / "table.jsonl") as writer,
        # Ends before the device is left: a good-bye that is cut again and again is the janitor's, ten minutes later.
        _cutting(own_ssh_server, tmp_path / "table.jsonl") as cuts,
    ):
        summary = fill(writer, device.round, workloads, _QUICK)
    rows, bad = read_lines(tmp_path / "table.jsonl")
    digests = Counter(row.content.workload.digest for row in rows)  # type: ignore[union-attr]
    assert sum(cuts) >= 3, "the connection was hardly ever cut: this says nothing"
    assert any("back" in words for words in said)
    assert not bad
    assert not summary.failures
    assert digests == Counter({workload.digest: 1 for workload in workloads})
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < _MOST_GROWTH_KIB
    wait_until(lambda: not list((tmp_path / "device").glob("paceline-*/*")), "an empty work folder")
