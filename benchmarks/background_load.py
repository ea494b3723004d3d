"""Put a load on the machine that is the same in every run, to see what it does to measurements.

One process per core alternates between computing and sleeping, for random spans of 0.2 to 2 s each, so that it
computes half of the time on average. Computing means matrix products in turns with copies of 64 MiB: arithmetic, caches
and memory bandwidth. The same seed gives the same spans. Nothing is left behind: a process ends by itself, within
a moment, when whoever started it is gone. Each takes 130 MiB. Run it from the root of the repository:

    python benchmarks/background_load.py --seconds 60
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

SHORTEST_S, LONGEST_S = 0.2, 2.0
"""Spans of computing and of sleeping: from a fifth of a second to longer than any burst of samples."""

COPIED_BYTES = 64 * 2**20
"""More than the last-level cache of most processors, so that a copy goes through memory and empties the cache."""

MATRIX = 512
"""Rows and columns of the matrices: 1 MiB each, which a core's own cache holds, and some milliseconds a product."""

_PATIENCE_S = 120.0
"""A process looks some ten times a second whether it is wanted, unless the machine is very busy."""


@dataclass
class Load:
    """A load that runs, or ran.

    Attributes:
        processes: how many.
        busy_cores: cores that they kept busy on average, all together; known when they have ended.
    """

    processes: int
    busy_cores: float | None = field(default=None)

    def describe(self) -> str:
        """One line for the screen."""
        busy = "" if self.busy_cores is None else f"; they took {self.busy_cores:.2f} cores on average"
        return (
            f"{self.processes} process{'es' * (self.processes != 1)} in turns computing (products of {MATRIX} x "
            f"{MATRIX} matrices, copies of {COPIED_BYTES >> 20} MiB) and sleeping, {SHORTEST_S:g} to {LONGEST_S:g} s "
            f"each{busy}"
        )


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def background_load(seed: int, processes: int | None = None) -> Iterator[Load]:
    """Load the machine within the block; when it is left, for whatever reason, no process of it runs any more.

    Args:
        seed: of the spans.
        processes: how many; one per core when None.
    """
    load = Load(cores() if processes is None else processes)
    with ExitStack() as stack:
        busy: list[float] = []
        members = [stack.enter_context(_member(seed + index, busy)) for index in range(load.processes)]
        for member in members:
            if _answer(member) != "ready":
                raise RuntimeError(f"a process of the load ended with status {member.wait()} before it began")
        yield load
    load.busy_cores = sum(busy)


@contextmanager
def _member(seed: int, busy: list[float]) -> Iterator[subprocess.Popen[str]]:
    """One process of the load; what share of a core it took is added to ``busy`` when it has ended."""
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).resolve()), "--member", str(seed)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")},
        # Ctrl-C is for whoever asked: it ends this process, and says nothing of its own.
        start_new_session=True,
    ) as process:
        try:
            yield process
            # Its input ends, and so does it.
            answer, _ = process.communicate(timeout=_PATIENCE_S)
            busy.append(json.loads(answer)["busy"])
        finally:
            process.kill()


def _answer(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _is_over() -> bool:
    """Whether standard input has ended: nobody wants the load any more, or nobody is there to want it."""
    return _ends_within(0.0)


def _ends_within(span_s: float) -> bool:
    return bool(select.select([sys.stdin], [], [], span_s)[0])


def compute_and_sleep(seed: int, step: Callable[[], None]) -> None:
    """Alternate between calling ``step`` and sleeping until standard input ends."""
    draw = random.Random(seed)
    is_computing = draw.random() < 0.5
    while not _is_over():
        until_s = time.monotonic() + draw.uniform(SHORTEST_S, LONGEST_S)
        while is_computing and time.monotonic() < until_s and not _is_over():
            step()
        if not is_computing and _ends_within(until_s - time.monotonic()):
            return
        is_computing = not is_computing


def _be_member(seed: int) -> None:
    """Be one process of the load."""
    left, right = np.random.default_rng(seed).random((2, MATRIX, MATRIX), dtype=np.float32)
    product = np.empty_like(left)
    source = np.ones(COPIED_BYTES, dtype=np.uint8)
    target = np.empty_like(source)

    def step() -> None:
        np.matmul(left, right, out=product)
        np.copyto(target, source)

    step()
    print("ready", flush=True)
    started, worked = time.monotonic(), time.process_time()
    compute_and_sleep(seed, step)
    busy = (time.process_time() - worked) / max(1e-9, time.monotonic() - started)
    print(json.dumps({"busy": busy}), flush=True)


def main() -> None:
    """Load the machine for some time, or be one process of a load."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S", help="how long (default %(default)g)")
    parser.add_argument("--processes", type=int, metavar="N", help="how many processes (default: one per core)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the spans (default %(default)s)")
    parser.add_argument(
        "--member", type=int, metavar="SEED", help="be one of the processes, until standard input ends; not for people"
    )
    options = parser.parse_args()
    if options.member is not None:
        try:
            _be_member(options.member)
        except BrokenPipeError:
            os._exit(1)  # Nobody wants it any more. Python would flush once more, and complain.
        return
    try:
        with background_load(options.seed, options.processes) as load:
            print(load.describe(), flush=True)
            time.sleep(options.seconds)
    except KeyboardInterrupt:
        sys.exit(130)
    print(load.describe())


if __name__ == "__main__":
    main()
