"""``paceline targets test``: whether a device can be reached and measured on, and what to do when not."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any

import typer

from devices import (
    Device,
    Finding,
    Health,
    Load,
    NotAvailable,
    Probe,
    Target,
    Transport,
    find_target,
    machine_findings,
    power_mode_findings,
    probe_device,
    transport_for,
)
from latency import Missing, RemoteDevice, RemoteSettings, RemoteState
from paceline.options import Json
from paceline.screen import say, show_json, show_table

_LITTLE_ROOM_BYTES = 1 << 30
_NO_ROOM_BYTES = 100 << 20
"""An exported network has some ten megabytes, an engine that is built of it several times that."""

_PATIENCE_S = 30.0
_ANY_RUNTIME = "dummy"
"""The state of a device is the same whichever runtime asks."""

_LOOKS = {"ok": "green", "ready": "green", "warning": "yellow", "problem": "bold red", "missing": "yellow"}
_MISSING_STATUS = 3


@dataclass(frozen=True)
class _Examination:
    """What was seen.

    Attributes:
        target: what was asked for.
        where: the way to it.
        probe: what it said first.
        state: what the agent said there; None where it could not run.
        findings: all of that as far as it bears on times.
    """

    target: Target
    where: str
    probe: Probe
    state: RemoteState | None
    findings: tuple[Finding, ...]

    @property
    def runtimes(self) -> Mapping[str, Missing | None]:
        """What could measure there; the dummy measures nothing."""
        known = {} if self.state is None else self.state.runtimes
        return {name: why for name, why in known.items() if name != _ANY_RUNTIME}

    @property
    def is_equipped(self) -> bool:
        """Whether the agent runs there, and has the target's own runtime."""
        return self.target.runtime in self.runtimes and self.runtimes[self.target.runtime] is None

    @property
    def problems(self) -> list[str]:
        return list(dict.fromkeys(finding.topic for finding in self.findings if finding.severity == "problem"))

    @property
    def status(self) -> int:
        """The exit status."""
        if not self.is_equipped:
            return _MISSING_STATUS
        return 1 if self.problems else 0

    def verdict(self) -> str:
        """One sentence, and what to do next."""
        measure = f"profile-device --target {self.target.name}"
        if self.problems:
            return f"Mend {', '.join(self.problems)} first."
        if self.is_equipped:
            return f"{self.target.name} is ready: {measure}"
        others = [name for name, why in self.runtimes.items() if why is None]
        way = f", or measure with what is there: {measure} --runtime {others[0]}" if others else ""
        return f"{self.target.runtime}, the runtime of {self.target.name}, is missing there: see its remedy{way}."


def examine(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A target; `paceline targets` lists them.")],
    as_json: Json = False,
) -> None:
    """Connect to a device and say whether it can be measured on: Python, runtimes, power mode, heat, disk, who has it.

    Nothing is changed or left on the device. Where something is missing, the command that mends it is named.

    Exit status: 0 it can be measured on, 1 its times could not be trusted, 3 it cannot be reached or lacks its runtime.

    Example: paceline targets test xavier
    """
    target = find_target(name)
    with transport_for(target) as transport:
        say(f"connecting to {transport.describe()}")
        seen = _examine(target, transport)
    if as_json:
        show_json(_json(seen))
    else:
        _show(seen)
    raise typer.Exit(seen.status)


def _examine(target: Target, transport: Transport) -> _Examination:
    connection = target.connection
    python = sys.executable if connection is None else connection.python
    work = None if connection is None else connection.work
    said = probe_device(transport, python, work)
    state, refusal = None, ""
    if said.is_new_enough:
        say("asking what it has")
        state, refusal = _state(transport, python, work)
    findings = (*_first_findings(transport.describe(), said), *_agent_findings(refusal, said), *_health(target, state))
    return _Examination(target, transport.describe(), said, state, findings)


def _state(transport: Transport, python: str, work: str | None) -> tuple[RemoteState | None, str]:
    """What the agent says of the device; else why it says nothing."""
    settings = RemoteSettings(_ANY_RUNTIME, python=python, base=work, wait_s=0.0, patience_s=_PATIENCE_S)
    try:
        with RemoteDevice(transport, settings) as device:
            return device.state(), ""
    except NotAvailable as error:
        return None, str(error)


def _first_findings(where: str, said: Probe) -> tuple[Finding, ...]:
    found = [Finding("connection", "ok", f"{where} answers: {said.system}")]
    if said.is_new_enough:
        found.append(Finding("python", "ok", said.python))
    else:
        remedy = "Name a newer one of the device with `paceline targets add ... --python`."
        found.append(Finding("python", "problem", f"{said.python}, and the agent needs 3.6 or later", remedy))
    return (*found, _room(said))


def _room(said: Probe) -> Finding:
    if said.free_bytes is None:
        remedy = "Make it, or name another one with `paceline targets add ... --work`."
        return Finding("disk", "problem", f"there is no folder {said.folder}", remedy)
    what = f"{said.free_bytes / 1e9:.1f} GB free in {said.folder}"
    if said.free_bytes >= _LITTLE_ROOM_BYTES:
        return Finding("disk", "ok", what)
    severity = "warning" if said.free_bytes >= _NO_ROOM_BYTES else "problem"
    remedy = "Make room, or name a folder of another disk with `paceline targets add ... --work`."
    return Finding("disk", severity, what, remedy)  # type: ignore[arg-type]  # one of its two words


def _agent_findings(refusal: str, said: Probe) -> tuple[Finding, ...]:
    if not said.is_new_enough:
        return ()
    if refusal:
        return (Finding("agent", "problem", refusal),)
    return (Finding("agent", "ok", "it runs there, and nobody else measures"),)


def _health(target: Target, state: RemoteState | None) -> tuple[Finding, ...]:
    """What the device's state means for times, without what cannot be told from here."""
    if state is None:
        return ()
    health = replace(Health.from_json(state.health), state=state.state)
    asked = power_mode_findings(target, health)
    topics = {finding.topic for finding in asked}
    machine = (finding for finding in machine_findings(health, Load()) if finding.topic not in topics)
    return (*asked, *(finding for finding in machine if finding.severity != "unknown"))


def _show(seen: _Examination) -> None:
    title = seen.target.name if seen.state is None else _devices(seen.state)
    rows = [(finding.topic, finding.severity, finding.what) for finding in seen.findings]
    show_table(title, ("topic", "", "what was seen"), rows, left=3, looks=_LOOKS)
    _show_remedies((finding.topic, finding.remedy) for finding in seen.findings if finding.severity != "ok")
    if seen.runtimes:
        lines = [
            (name, "ready" if why is None else "missing", "" if why is None else why.reason)
            for name, why in seen.runtimes.items()
        ]
        show_table("runtimes", ("runtime", "", "why not"), lines, left=3, looks=_LOOKS)
        _show_remedies((name, why.remedy) for name, why in seen.runtimes.items() if why is not None)
    print(seen.verdict())


def _devices(state: RemoteState) -> str:
    gpu = "" if state.gpu is None else f"; {state.gpu[0].describe()}"
    return f"{state.device.describe()}{gpu}"


def _show_remedies(remedies: Iterable[tuple[str, str]]) -> None:
    """Below the table, where a command stays in one line and can be copied."""
    lines = [f"  {topic}: {remedy}" for topic, remedy in remedies if remedy]
    if lines:
        print("\n".join(["What to do:", *lines]))


def _json(seen: _Examination) -> dict[str, Any]:
    state = seen.state
    gpu: Device | None = None if state is None or state.gpu is None else state.gpu[0]
    return {
        "target": seen.target.name,
        "where": seen.where,
        "status": seen.status,
        "verdict": seen.verdict(),
        **asdict(seen.probe),
        "device": None if state is None else state.device.to_json(),
        "gpu": None if gpu is None else gpu.to_json(),
        "state": None if state is None else state.state.to_json(),
        "findings": [asdict(finding) for finding in seen.findings],
        "runtimes": {name: None if why is None else asdict(why) for name, why in seen.runtimes.items()},
    }
