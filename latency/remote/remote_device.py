"""Measuring on a device that is reached through a transport, as if it were this machine."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import metadata
from types import TracebackType
from typing import Any, Self, final

from agent.loop import utc_now
from agent.protocol import GRACE_S
from devices import Device, DeviceState, NotAvailable, Transport, WrongUse, unknown_name
from latency.burst import Burst
from latency.environment import Environment, Runtime
from latency.measurement import UNFINISHED, Failure, Measurement, Outcome
from latency.onnx_export import OPSET
from latency.profiler import Missing, ProfilingError
from latency.profilers import find_profiler
from latency.remote.agent_session import AgentEnded, AgentSession, SessionSettings
from latency.remote.bundle import agent_bundle
from latency.remote.burst_request import BurstRequest, RemoteModel
from latency.remote.lasting_session import LastingSession, Patience
from latency.remote.models import ExportedModels, ModelFile
from latency.sampling import SamplingPlan
from latency.sentinel import sentinel_workload
from latency.workload import Workload

_BEYOND_PATIENCE_S = 60.0
"""The agent itself ends what takes too long; this long after that, it is the agent that hangs."""

_ROOM_BYTES = 1 << 26
"""Room that is made on a full disk beside that of a file itself: runtimes write there, too."""

_ALL_BYTES = 1 << 62
"""More than any disk has."""

_MOST_ROUND_TRIPS = 5
"""How often a file may be found missing, or a disk full, before one burst."""

_MOST_REASON_CHARACTERS = 500


@dataclass(frozen=True)
class RemoteSettings:
    """What measures on a device, and how it is treated when it does not answer.

    Attributes:
        runtime: name of the profiler.
        threads: threads inside an operator.
        options: as the profiler's ``choices`` list them.
        python: Python of the device, 3.6 or later; a name on its PATH, or a path.
        run: name of the run, which no other one has.
        base: folder of the device for temporary files; its own when None.
        grace_s: how long these stay when the connection is lost and this process does not come back.
        wait_s: how long to wait for a device on which somebody else measures.
        patience_s: a device that does not answer for so long is given up.
        start_s: how long the agent may take until its first sign of life.
        quiet_s: after so long without one the connection counts as lost.
        first_wait_s: wait after the first vain attempt to connect again; it doubles with each.
        most_wait_s: the longest of these waits.

    Raises:
        WrongUse: there is no such profiler or option, or the agent does not have it.
    """

    runtime: str
    threads: int = 1
    options: Mapping[str, str] = field(default_factory=dict)
    python: str = "python3"
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    base: str | None = None
    grace_s: float = GRACE_S
    wait_s: float = 10.0
    patience_s: float = 600.0
    start_s: float = 60.0
    quiet_s: float = 10.0
    first_wait_s: float = 0.1
    most_wait_s: float = 5.0

    def __post_init__(self) -> None:
        from agent.runtimes import RUNTIMES

        find_profiler(self.runtime).chosen(self.options)
        if self.runtime not in RUNTIMES:
            raise unknown_name("runtime that measures on other machines", self.runtime, RUNTIMES)


@dataclass(frozen=True)
class RemoteState:
    """What a device is and has.

    Attributes:
        device: the machine.
        state: what it was doing.
        gpu: its GPU, and what that was doing; None without one that can be asked.
        health: what else bears on times taken there; fields of ``devices.Health``.
        runtimes: what could measure there, each with the reason why it cannot.
    """

    device: Device
    state: DeviceState
    gpu: tuple[Device, DeviceState] | None
    health: Mapping[str, Any]
    runtimes: Mapping[str, Missing | None]


@final
class RemoteDevice:
    """A device that is measured from here. Models are made here, and go there once.

    Used by one thread at a time. Each method may take as long as ``settings.patience_s`` when the device goes away.

    Args:
        transport: the way there; it is not closed with this.
        settings: what measures there.
        tell: is told, in words, when the connection breaks and when it is back.
        models: the exported models, where several devices share them.
        bundle: the agent, zipped.
    """

    def __init__(
        self,
        transport: Transport,
        settings: RemoteSettings,
        *,
        tell: Callable[[str], None] = lambda words: None,
        models: ExportedModels | None = None,
        bundle: bytes | None = None,
    ) -> None:
        self._where, self._settings = transport.describe(), settings
        self._owns_models = models is None
        self._models = models or ExportedModels()
        self._agent = LastingSession(
            transport,
            SessionSettings(
                python=settings.python,
                run=settings.run,
                base=settings.base,
                grace_s=settings.grace_s,
                wait_s=settings.wait_s,
                start_s=settings.start_s,
                quiet_s=settings.quiet_s,
            ),
            agent_bundle() if bundle is None else bundle,
            Patience(settings.patience_s, settings.first_wait_s, settings.most_wait_s),
            tell,
        )
        self._ready: AgentSession | None = None
        self._opened: Mapping[str, Any] = {}
        self._environment: Environment | None = None
        self._clocks: tuple[str | None, bool] | None = None
        self._stored: set[str] = set()
        self._stored_by: AgentSession | None = None
        self._usual_s: dict[str, float] = {}

    @contextmanager
    def round(self, usual_s: Mapping[str, float] = {}) -> Iterator[RemoteRound]:
        """A process on the device that measures, a fresh one: ``lut.fill`` is given this method as its ``start``.

        Args:
            usual_s: what the sentinel takes when nothing disturbs the device, by precision, where it is known.

        Raises:
            NotAvailable: the device or the runtime is missing, or somebody else measures there.
            WrongUse: the device came back as another environment.
        """
        self._usual_s = dict(usual_s)
        self._ready = None
        yield RemoteRound(self._run(self._open), self._measure)

    def state(self) -> RemoteState:
        """What the device is and has.

        Raises:
            NotAvailable: the device is missing, or somebody else measures there.
        """
        answer = self._run(lambda session: session.ask("state"))
        if "failed" in answer:
            raise NotAvailable(f"{self._where} does not say what it has: {answer['failed']['words']}.")
        gpu = answer["gpu"]
        return RemoteState(
            device=Device.from_json(answer["device"]),
            state=DeviceState.from_json(answer["state"]),
            gpu=None if gpu is None else (Device.from_json(gpu["device"]), DeviceState.from_json(gpu["state"])),
            health=answer["health"],
            runtimes={name: None if why is None else Missing(**why) for name, why in answer["runtimes"].items()},
        )

    def close(self) -> None:
        """Leave nothing on the device; where it cannot be reached, it sees to that itself."""
        self._agent.end()
        if self._owns_models:
            self._models.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _measure(self, workload: Workload, plan: SamplingPlan, environment: Environment) -> Outcome:
        try:
            request = self._request(workload, plan)
            answer = self._run_measuring(request)
        except ProfilingError as error:
            return _failure(workload, environment, error.stage, str(error))
        if "failure" in answer:
            return _failure(workload, environment, answer["failure"]["stage"], answer["failure"]["reason"])
        if answer["usual_s"] is not None:
            self._usual_s[workload.precision] = answer["usual_s"]
        # By this machine's clock: many a device has no battery for its own, and lives in 1970.
        burst = Burst.from_json({**answer["burst"], "measured_at": utc_now()})
        self._refuse_other_clocks(burst.before)
        return Measurement(workload, environment, plan, (burst,), UNFINISHED)

    def _refuse_other_clocks(self, state: DeviceState) -> None:
        """Refuse to go on with other clocks than the run began with: those that are held do not survive a reboot."""
        if state.clocks_held is None:
            return
        clocks = state.power_mode, state.clocks_held
        self._clocks = self._clocks or clocks
        if clocks != self._clocks:
            began, now = (f"{mode}, clocks {'held' if held else 'not held'}" for mode, held in (self._clocks, clocks))
            raise WrongUse(
                f"{self._where} began in power mode {began}, and is in {now} now: times of two are never mixed. Set it "
                "as it was (sudo nvpmodel -m N, sudo jetson_clocks); the same command then goes on with the rest."
            )

    def _run(self, work: Callable[[AgentSession], Any]) -> Any:
        try:
            return self._agent.run(work)
        except AgentEnded as error:
            raise NotAvailable(f"The agent on {self._where} ends each time it is started: {error}.") from error

    def _run_measuring(self, request: BurstRequest) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = self._agent.run(lambda session: self._measured(session, request))
            return answer
        except AgentEnded as error:
            raise ProfilingError("run", f"the agent did not survive it: {error}") from error

    def _open(self, session: AgentSession) -> Environment:
        """Have a process that measures, unless this session of the agent has one for this round."""
        if self._ready is not session or self._environment is None:
            self._environment = self._opened_on(session)
            self._ready = session
        return self._environment

    def _opened_on(self, session: AgentSession) -> Environment:
        settings = self._settings
        answer = session.ask("open", runtime=settings.runtime, threads=settings.threads, options=dict(settings.options))
        if "missing" in answer:
            raise self._missing(answer["missing"])
        environment = _environment(answer["opened"], settings)
        known = self._environment or environment
        if environment.digest != known.digest:
            raise WrongUse(
                f"{self._where} came back as another environment, and times of two are never mixed "
                f"({known.differences(environment)}). Bring it back to what it was, or give what it is now a table of "
                "its own."
            )
        self._opened = answer["opened"]
        return environment

    def _missing(self, missing: Mapping[str, str]) -> NotAvailable:
        return NotAvailable(
            f"{self._settings.runtime} cannot be used on {self._where}: {missing['reason']}. {missing['remedy']}"
        )

    def _request(self, workload: Workload, plan: SamplingPlan) -> BurstRequest:
        precisions = self._opened["graph_precisions"]
        model = RemoteModel.of(workload, precisions, self._models)
        sentinel = None
        if self._opened["takes_turns"]:
            with suppress(ProfilingError):  # What has no sentinel in its precision is measured without.
                sentinel = RemoteModel.of(sentinel_workload(workload.precision), precisions, self._models)
        return BurstRequest(uuid.uuid4().hex, model, plan, sentinel, self._usual_s.get(workload.precision))

    def _measured(self, session: AgentSession, request: BurstRequest) -> dict[str, Any]:
        self._open(session)
        patience_s = float(self._opened["patience_s"]) + _BEYOND_PATIENCE_S
        failed: Mapping[str, Any] = {"kind": "folder", "words": "models vanish from its work folder"}
        for _ in range(_MOST_ROUND_TRIPS):
            self._bring(session, request)
            answer: dict[str, Any] = session.ask("measure", patience_s=patience_s, **request.to_json())
            if "missing" in answer:
                raise self._missing(answer["missing"])
            if "lacks" in answer:
                self._stored -= set(answer["lacks"])
            elif "failed" in answer:
                failed = answer["failed"]
                self._make_room(session, request, _ALL_BYTES, failed)
            else:
                return answer
        raise self._full(failed)

    def _bring(self, session: AgentSession, request: BurstRequest) -> None:
        """Have the device have all files of a job; what an earlier agent was given may be gone by now."""
        if self._stored_by is not session:
            self._stored, self._stored_by = set(), session
        unknown = [file for file in request.files() if file.digest not in self._stored]
        if unknown:
            lacks = set(session.ask("lacks", models=[file.digest for file in unknown])["lacks"])
            for file in unknown:
                if file.digest in lacks:
                    self._send(session, request, file)
                self._stored.add(file.digest)

    def _send(self, session: AgentSession, request: BurstRequest, file: ModelFile) -> None:
        while "failed" in (answer := session.ask("store", payload=file, model=file.digest, bytes=file.size_bytes)):
            self._make_room(session, request, file.size_bytes + _ROOM_BYTES, answer["failed"])

    def _make_room(
        self, session: AgentSession, request: BurstRequest, size_bytes: int, failed: Mapping[str, Any]
    ) -> None:
        """Drop models that are not needed now from a full disk; they go there again when they are.

        Raises:
            NotAvailable: that makes no room.
        """
        if failed["kind"] != "disk full":
            raise self._full(failed)
        keep = [file.digest for file in request.files()]
        dropped = session.ask("drop", bytes=size_bytes, keep=keep)["dropped"]
        # The free space of a disk says nothing of a user's share of it.
        dropped = dropped or session.ask("drop", bytes=_ALL_BYTES, keep=keep)["dropped"]
        if not dropped:
            raise self._full(failed)
        self._stored -= set(dropped)

    def _full(self, failed: Mapping[str, Any]) -> NotAvailable:
        return NotAvailable(
            f"{self._where} cannot take what is to be measured ({failed['kind']}): {failed['words']}. Free some space "
            "there, or name a folder on another disk (`work` of the target). What was measured is in the table, and "
            "the same command goes on with the rest."
        )


@final
class RemoteRound:
    """A process on a device that measures. One that crashes is replaced there, and one that is lost with it, from here.

    Args:
        environment: device and runtime.
        measure: takes one burst in that environment.
    """

    def __init__(
        self, environment: Environment, measure: Callable[[Workload, SamplingPlan, Environment], Outcome]
    ) -> None:
        self._environment = environment
        self._measure = measure

    @property
    def environment(self) -> Environment:
        """Device and runtime that every measurement carries."""
        return self._environment

    def measure(self, workload: Workload, plan: SamplingPlan) -> Outcome:
        """One burst of samples, or a failure.

        Raises:
            ConnectionLost: the device went away and did not come back in time.
            NotAvailable: its disk is full, or its runtime is gone.
            WrongUse: it came back as another environment.
        """
        return self._measure(workload, plan, self._environment)


def _environment(opened: Mapping[str, Any], settings: RemoteSettings) -> Environment:
    """What the profiler of the same name would record on the device itself, with the exporter of this machine.

    A runtime without a version is no software, and what it says of a graph does not depend on who exported it.
    """
    versions, options = dict(opened["versions"]), dict(opened["options"])
    if versions:
        versions["torch"] = metadata.version("torch")
        options["opset"] = str(OPSET)
    runtime = Runtime(settings.runtime, versions, settings.threads, options)
    return Environment(Device.from_json(opened["device"]), runtime)


def _failure(workload: Workload, environment: Environment, stage: str, reason: str) -> Failure:
    short = " ".join(reason.split())[:_MOST_REASON_CHARACTERS]
    return Failure(workload, environment, stage, short or "no reason given", utc_now())
