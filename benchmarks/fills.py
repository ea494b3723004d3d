"""Fills of one set of blocks by our plan and by the peers', and how far two of them are apart."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from benchmarks.peers_plan import CALLS, INPUT_SIZE, SPACE, all_blocks, positive, sample_of_blocks
from devices import NotAvailable, WrongUse, read_load, read_timed_device
from latency import (
    FOLDER_VARIABLE,
    Environment,
    FreshProcess,
    Measurement,
    ProfilerSettings,
    SamplingPlan,
    Workload,
    find_profiler,
    median,
)
from lut import Progress, appending, fill

_TELL_EVERY_S = 10.0
"""Progress is a line now and then: a bar that moves would itself be a load."""

_EXPORTING = SamplingPlan(
    warm_up_s=0.0, sample_s=1e-6, least_s=0.0, limit_s=1e-6, precision=0.5, least_bursts=1, most_bursts=1
)
"""Hardly measures anything, and leaves all models behind."""


class FillError(Exception):
    """A block could not be timed, so that there is nothing to compare."""


@dataclass(frozen=True)
class Fill:
    """One table's worth of times.

    Attributes:
        seed: of the order of the blocks.
        seconds: how long it took, start of processes included, export of models not.
        calls: timed calls in all.
        times_s: time of each block, in seconds, by its digest.
        others_cores: cores that other processes kept busy just before; None where that cannot be read.
        load_cores: cores that the load took which was put on the machine; None without any.
    """

    seed: int
    seconds: float
    calls: int
    times_s: Mapping[str, float]
    others_cores: float | None = None
    load_cores: float | None = None


@dataclass(frozen=True)
class Spread:
    """How far the blocks of a second fill are from those of a first, as shares of the first.

    Attributes:
        median: median of |second / first - 1|.
        p90: 90th percentile of it.
        common: median of second / first.
        relative_median: as ``median``, after every ratio was divided by ``common``.
        relative_p90: as ``p90``, likewise.
    """

    median: float
    p90: float
    common: float
    relative_median: float
    relative_p90: float

    @staticmethod
    def between(first: Fill, second: Fill) -> Spread:
        """The spread over all blocks; both fills must have the same."""
        ratios = np.array([second.times_s[block] / time_s for block, time_s in first.times_s.items()])
        common = median(ratios.tolist())
        apart, relative = np.abs(ratios - 1), np.abs(ratios / common - 1)
        return Spread(
            median=median(apart.tolist()),
            p90=float(np.quantile(apart, 0.9)),
            common=common,
            relative_median=median(relative.tolist()),
            relative_p90=float(np.quantile(relative, 0.9)),
        )


@final
@dataclass(frozen=True)
class Subject:
    """What all fills of a comparison time, and where.

    Both sides find the same exported models in one folder: exporting costs both the same and says nothing.

    Attributes:
        blocks: what is timed.
        of: how many blocks the space has.
        sample: seed of the sample.
        settings: the profiler, and the folder of models.
        environment: device and runtime.
    """

    blocks: tuple[Workload, ...]
    of: int
    sample: int
    settings: ProfilerSettings
    environment: Environment

    def ours(self, plan: SamplingPlan, seed: int) -> Fill:
        """Fill a table as ``profile-device`` does: rounds in fresh processes, beside a sentinel.

        Raises:
            FillError: a block failed.
        """
        with tempfile.TemporaryDirectory(prefix="paceline-") as folder, appending(Path(folder) / "table") as writer:
            started = time.monotonic()
            fill(
                writer,
                lambda usual_s: FreshProcess(self.settings, usual_s),
                self.blocks,
                plan,
                seed=seed,
                tell=_teller(started),
            )
            seconds = time.monotonic() - started
            measured = [outcome for outcome in writer.table.values() if isinstance(outcome, Measurement)]
        if len(measured) < len(self.blocks):
            raise FillError(f"{len(self.blocks) - len(measured)} of {len(self.blocks)} blocks could not be timed")
        calls = sum(burst.calls_per_sample * len(burst.samples_s) for m in measured for burst in m.bursts)
        return Fill(seed, seconds, calls, {m.workload.digest: m.time_s for m in measured})

    def peers(self, seed: int, calls: int = CALLS, *, seconds: float = 0.0) -> Fill:
        """Time the blocks by the peers' plan, in a process of its own.

        Args:
            seed: of the order.
            calls: calls that a mean is taken of.
            seconds: repeat them until all blocks together have taken so long.

        Raises:
            FillError: a block failed.
        """
        started = time.monotonic()
        with _running(self._peers_command(seed, calls, seconds), self.settings.models) as process:
            answer, _ = process.communicate()
        if process.returncode:
            raise FillError(f"the process of the peers' plan ended with status {process.returncode}")
        return Fill(seed, time.monotonic() - started, **json.loads(answer))

    def _peers_command(self, seed: int, calls: int, seconds: float) -> list[str]:
        script = Path(__file__).with_name("peers_plan.py")
        values = {
            "--blocks": len(self.blocks),
            "--sample": self.sample,
            "--runtime": self.settings.name,
            "--threads": self.settings.threads,
            "--order": seed,
            "--calls": calls,
            "--seconds": seconds,
        }
        words = [str(word) for pair in values.items() for word in pair]
        return [sys.executable, str(script.resolve()), "--json", *words]

    def describe(self) -> list[str]:
        """Lines for the screen: machine, runtime, blocks."""
        height, width = INPUT_SIZE
        return [
            f"machine: {self.environment.device.describe()}",
            f"runtime: {self.environment.runtime.describe()}",
            f"blocks: {len(self.blocks)} of the {self.of} of {SPACE} at {height}x{width} (sample {self.sample})",
        ]

    def to_json(self) -> dict[str, Any]:
        """What is timed where, as plain values."""
        return {
            "environment": self.environment.to_json(),
            "space": SPACE,
            "input_size": list(INPUT_SIZE),
            "sample": self.sample,
            "blocks": {block.digest: block.describe() for block in self.blocks},
        }


@contextmanager
def _running(command: Sequence[str], models: Path | None) -> Iterator[subprocess.Popen[str]]:
    """A process that is gone when the block is left, for whatever reason."""
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, FOLDER_VARIABLE: str(models or "")},
        start_new_session=True,  # Ctrl-C is for whoever asked: it ends this process, and says nothing of its own.
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def open_subject(options: argparse.Namespace) -> Iterator[Subject]:
    """What ``add_subject_options`` asked for, with a folder of models that is gone afterwards.

    Raises:
        WrongUse: there is no such runtime.
        NotAvailable: it is missing.
    """
    kind = find_profiler(options.runtime)
    kind.refuse_missing()
    device = read_timed_device(kind.accelerator)
    blocks = sample_of_blocks(options.blocks, options.sample)
    with tempfile.TemporaryDirectory(prefix="paceline-") as folder:
        settings = ProfilerSettings(kind.name, device, options.threads, kind.chosen({}), Path(folder))
        environment = _export(settings, blocks)
        yield Subject(blocks, len(all_blocks()), options.sample, settings, environment)


def _export(settings: ProfilerSettings, blocks: Sequence[Workload]) -> Environment:
    """Put the models of all blocks into the folder, and say where they run."""
    say(f"exporting {len(blocks)} blocks")
    with tempfile.TemporaryDirectory(prefix="paceline-") as folder, appending(Path(folder) / "table") as writer:
        fill(writer, lambda usual_s: FreshProcess(settings, usual_s), blocks, _EXPORTING)
        return writer.table.environment()


@final
@dataclass
class Fills:
    """The fills of a run by name; with a file, those of an earlier run of the same command are in it already.

    Args:
        path: JSON lines; the first says what is asked.
        asked: all that the fills depend on.
        others_cores: says how many cores other processes keep busy.

    Raises:
        WrongUse: the file holds fills of something else.
    """

    path: Path | None
    asked: Mapping[str, Any]
    others_cores: Callable[[], float | None] = lambda: read_load().busy_cores
    done: dict[str, Fill] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.path is None:
            return
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._append(self.asked)
            return
        try:
            asked, *rows = (json.loads(line) for line in self.path.read_text(encoding="utf-8").splitlines())
            self.done = {row.pop("name"): Fill(**row) for row in rows}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WrongUse(f"{self.path} is no file of fills, or damaged: name another --fills file.") from error
        if asked != json.loads(json.dumps(self.asked)):
            raise WrongUse(f"{self.path} holds fills of other options, blocks or versions: name another --fills file.")

    def get(self, name: str, make: Callable[[], Fill]) -> Fill:
        """The fill of that name, made now unless it is known; says so on stderr."""
        if name in self.done:
            say(f"{name}: known already")
            return self.done[name]
        others_cores = self.others_cores()
        say(f"{name}: filling, while others keep {_cores(others_cores)} cores busy")
        made = replace(make(), others_cores=others_cores)
        say(f"{name}: {made.seconds:.1f} s")
        self.done[name] = made
        self._append({"name": name, **asdict(made)})
        return made

    def _append(self, row: Mapping[str, Any]) -> None:
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")

    def lines(self) -> list[str]:
        """A table for the screen."""
        wide = max(len(name) for name in self.done)
        head = f"{'fill':<{wide}} {'seconds':>8} {'calls':>10} {'others, cores':>14} {'load, cores':>12}"
        return [
            head,
            *(
                f"{name:<{wide}} {fill.seconds:>8.1f} {fill.calls:>10,} {_cores(fill.others_cores):>14} "
                f"{_cores(fill.load_cores):>12}"
                for name, fill in self.done.items()
            ),
        ]

    def to_json(self) -> dict[str, Any]:
        """The fills as plain values, by name."""
        return {name: asdict(fill) for name, fill in self.done.items()}


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Options about the run itself."""
    parser.add_argument(
        "--rounds",
        type=positive,
        default=SamplingPlan.most_bursts,
        metavar="N",
        help="most rounds of our plan; fewer make a short run whose figures mean little (default %(default)s)",
    )
    parser.add_argument(
        "--fills",
        type=Path,
        metavar="FILE",
        help="keep each finished fill in this file; the same command goes on with those that are missing. "
        "Fills of different days differ by more than those of one run",
    )
    parser.add_argument("--json", action="store_true", help="print JSON: every figure, and the times of every fill")


def our_plan(rounds: int, precision: float = SamplingPlan.precision) -> SamplingPlan:
    """The default plan, with no more than that many bursts and another wanted interval."""
    return SamplingPlan(precision=precision, least_bursts=min(SamplingPlan.least_bursts, rounds), most_bursts=rounds)


def describe_plan(plan: SamplingPlan) -> str:
    """Our plan in words."""
    return (
        f"ours: {plan.least_bursts} to {plan.most_bursts} rounds in fresh processes, until the 95 % interval of a "
        f"block is within {plan.precision:.1%}, disturbed samples left out"
    )


def say(text: str) -> None:
    """Talk: a line on stderr."""
    print(text, file=sys.stderr, flush=True)


def run_or_exit(run: Callable[[], None]) -> None:
    """Run a script; its errors are a line on stderr, and Ctrl-C ends it as a shell expects."""
    try:
        run()
    except KeyboardInterrupt:
        sys.exit(130)
    except (WrongUse, NotAvailable) as error:
        say(f"error: {error}")
        sys.exit(error.exit_code)
    except FillError as error:
        sys.exit(f"error: {error}")


def _cores(number: float | None) -> str:
    return "-" if number is None else f"{number:.2f}"


def _teller(started: float) -> Callable[[Progress], None]:
    """Says on stderr now and then how far a fill is."""
    told = started

    def tell(progress: Progress) -> None:
        nonlocal told
        if time.monotonic() - told >= _TELL_EVERY_S:
            told = time.monotonic()
            say(f"  {progress.done} of at least {progress.wanted} bursts, {told - started:.0f} s")

    return tell
