"""Where a command measures: on this machine, or on a device that is reached by ssh."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import final

from devices import Channel, Health, NotAvailable, Target, Transport, power_mode_findings, transport_for
from latency import ExportedModels, ProfilerSettings, RemoteDevice, RemoteSettings, RemoteState, find_profiler
from lut import Start, fresh_processes
from paceline.options import chosen_options, profiler_settings
from paceline.screen import say

_TOLD = ("problem", "warning")


@final
@dataclass(frozen=True)
class Place:
    """Where and with what a command measures. Made by ``measuring_place``; nothing is connected yet.

    Attributes:
        target: the device.
        settings: what a process there is told.
    """

    target: Target
    settings: ProfilerSettings | RemoteSettings

    def describe(self) -> str:
        """One line for the screen."""
        if isinstance(self.settings, ProfilerSettings):
            return f"{self.settings.device.describe()}, {self.settings.name}"
        return f"{self.target.name} at {transport_for(self.target).describe()}, {self.settings.runtime}"

    @contextmanager
    def starts(
        self,
        models: ExportedModels | None = None,
        tell: Callable[[str], None] = say,
        is_over: Callable[[], bool] = lambda: False,
    ) -> Iterator[Start]:
        """What starts the process of a round. What lies on a device in the meantime is gone afterwards.

        Args:
            models: the exported models, where several devices share them.
            tell: is told what the device is, what speaks against measuring on it now, and of lost connections.
            is_over: whether a device that is away need not be waited for any longer.

        Raises:
            NotAvailable: the device cannot be reached, or the runtime is missing there.
        """
        if isinstance(self.settings, ProfilerSettings):
            with fresh_processes(self.settings) as start:
                yield start
            return
        with (
            _UntilOver(transport_for(self.target), is_over) as transport,
            RemoteDevice(transport, self.settings, tell=tell, models=models) as device,
        ):
            _say_what_is_there(self.target, self.settings.runtime, device.state(), tell)
            yield device.round


def measuring_place(
    target: Target, runtime: str | None, threads: int, options: Sequence[str], *, wait_s: float | None = None
) -> Place:
    """Where ``target`` is measured, and with what.

    Args:
        target: the device.
        runtime: name of the profiler; the target's own when None.
        threads: threads inside an operator.
        options: ``name=value`` each.
        wait_s: how long to wait for a device on which somebody else measures; a moment when None.

    Raises:
        WrongUse: there is no such runtime or option, or an option is not of that form.
        NotAvailable: the runtime is missing here, or it is not known where the device is.
    """
    if target.is_here:
        return Place(target, profiler_settings(target, runtime, threads, options))
    transport_for(target).close()  # Refuses, with the way out, where nobody has said which device it is.
    assert target.connection is not None
    kind = find_profiler(runtime or target.runtime)
    settings = RemoteSettings(
        kind.name,
        threads,
        chosen_options(kind, options),
        python=target.connection.python,
        base=target.connection.work,
    )
    return Place(target, settings if wait_s is None else replace(settings, wait_s=wait_s))


@final
class _UntilOver(Transport):
    """A way to a device through which nothing is begun once all is over, so that nobody waits for one that is away."""

    def __init__(self, way: Transport, is_over: Callable[[], bool]) -> None:
        self._way, self._is_over = way, is_over

    def describe(self) -> str:
        return self._way.describe()

    def start(self, command: Sequence[str]) -> Channel:
        if self._is_over():
            raise NotAvailable(f"{self.describe()} was away when the run was ended.")
        return self._way.start(command)

    def close(self) -> None:
        self._way.close()


def _say_what_is_there(target: Target, runtime: str, there: RemoteState, tell: Callable[[str], None]) -> None:
    """Name the device, and whatever speaks against measuring on it now."""
    timed = there.device if there.gpu is None or find_profiler(runtime).accelerator == "cpu" else there.gpu[0]
    tell(f"{timed.describe()}, {runtime}")
    health = Health.from_json(there.health)
    for finding in power_mode_findings(target, health):
        if finding.severity in _TOLD:
            tell(f"{finding.topic}: {finding.what}. {finding.remedy}")
