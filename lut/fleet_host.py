"""A device of a fleet: a thread that measures there, and a table of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Self, final

from devices import NotAvailable, WrongUse
from latency import Environment, Measurer, Outcome, SamplingPlan, Workload
from lut.filling import FillSummary, Progress, Start, fill
from lut.missing_bursts import usual_times_s
from lut.table_file import TableWriter


@final
class FleetHost:
    """A device. What it measures with is opened, used and closed in one thread, which ``submit`` hands work to.

    Attributes:
        name: of the device.
        writer: its own table.
        lost: why it cannot be reached any more; empty while it can.
        fills: what each fill did.

    Args:
        name: of the device.
        start: starts a process that measures there.
        writer: its own table.
    """

    def __init__(self, name: str, start: Start, writer: TableWriter) -> None:
        self.name, self.writer = name, writer
        self.lost = ""
        self.fills: list[FillSummary] = []
        self._start = start
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"fleet-{name}")
        self._first = ExitStack()
        self._process: Measurer | None = None
        self._environment: Environment | None = None

    @property
    def environment(self) -> Environment | None:
        """Where it measures; None before it was opened, and where it could not be."""
        return self._environment

    def submit(self, work: Callable[[], None]) -> Future[None]:
        """Have its thread do something."""
        return self._thread.submit(work)

    def open(self) -> None:
        """Start the process of the first round, to learn what is there; a device that is not is lost."""
        with self._noting_loss():
            process = self._first.enter_context(self._start(usual_times_s(self.writer.table)))
            self._process, self._environment = process, process.environment

    def fill(
        self,
        workloads: Sequence[Workload],
        plan: SamplingPlan,
        *,
        again: Callable[[Outcome], bool],
        limit_s: float,
        seed: int,
        tell: Callable[[Progress], None],
    ) -> None:
        """Measure what its table lacks, see ``lut.fill``; a device that goes away for good is lost."""
        with self._noting_loss():
            done = fill(self.writer, self._round, workloads, plan, again=again, limit_s=limit_s, seed=seed, tell=tell)
            self.fills.append(done)

    @contextmanager
    def _noting_loss(self) -> Iterator[None]:
        try:
            yield
        except NotAvailable as error:
            self.lost = str(error)

    @contextmanager
    def _round(self, usual_s: Mapping[str, float]) -> Iterator[Measurer]:
        """The process of a round; that of the first one is open already."""
        if self._process is not None:
            with self._first.pop_all():
                process, self._process = self._process, None
                yield process
            return
        with self._start(usual_s) as process:
            self._refuse_change(process.environment)
            yield process

    def _refuse_change(self, environment: Environment) -> None:
        if self._environment is not None and environment.digest != self._environment.digest:
            raise WrongUse(
                f"{self.name} is no longer what it was when this run began "
                f"({self._environment.differences(environment)}). Set it back, and run the same command again."
            )

    def _close(self) -> None:
        with self._noting_loss():
            self._first.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.submit(self._close).result()
        finally:
            self._thread.shutdown()
