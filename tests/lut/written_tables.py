"""Tables in files, as the tests of lut write and damage them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from latency import Calibration, LeaveOneOut, Measurement, Outcome, Workload
from lut import Table, appending
from tests.contracts.examples import BLOCKS, failure, measurement


def write(path: Path, *outcomes: Outcome) -> bytes:
    with appending(path) as writer:
        for outcome in outcomes:
            writer.append(outcome)
    return path.read_bytes()


def three_rows(path: Path) -> list[bytes]:
    write(path, measurement(BLOCKS[0]), failure(BLOCKS[1]), measurement(BLOCKS[2]))
    return path.read_bytes().splitlines(keepends=True)


def damaged(row: bytes, **changes: Any) -> bytes:
    values = json.loads(row) | changes
    return json.dumps({name: value for name, value in values.items() if value is not None}).encode() + b"\n"


def counts(path: Path) -> dict[Workload, int]:
    """How many bursts each measurement of the file has."""
    return {row.workload: len(row.bursts) for row in Table.read(path).values() if isinstance(row, Measurement)}


def learned(misfit: float, *workloads: Workload) -> Calibration:
    """A calibration of these entries."""
    return Calibration(
        entries=tuple(workload.digest for workload in workloads),
        mean_s=(0.001,) * len(workloads),
        factor=tuple((1e-5,) * (row + 1) for row in range(len(workloads))),
        misfit=misfit,
        networks=9,
        hyperparameters={"entry": 0.1},
        leave_one_out=LeaveOneOut(0.01, 0.9, 0.9),
    )


DAMAGES = {
    "no JSON": b"{nonsense}\n",
    "a blank line": b"\n",
    "bytes that are no text": b"\xff\xfe\x00\n",
    "half a row": b'{"schema":1,"kind":"measu\n',
    "no object": b"[1, 2]\n",
    "null": b"null\n",
    "no schema": b'{"kind":"measurement"}\n',
    "a carriage return inside": b"half a row\r" + b'{"schema":\n',
}
