"""``paceline doctor``: what is here, and whether a time taken now can be trusted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib import metadata
from typing import Annotated, Any

import typer

from devices import (
    Device,
    Finding,
    NotAvailable,
    PacelineError,
    gpu_count,
    gpu_findings,
    machine_findings,
    read_device,
    read_gpu,
    read_gpu_health,
    read_health,
    read_load,
    read_timed_device,
    state_reader,
)
from latency import (
    DummyProfiler,
    Missing,
    Profiler,
    Steadiness,
    broken_profilers,
    known_profilers,
    open_profiler,
    probe_steadiness,
)
from paceline.options import Json
from paceline.screen import say, show_json, show_table

_ONE_FOLDER = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino", "onnxruntime-rocm")
"""Packages that all own the folder onnxruntime/: the one installed last wins without a word."""

_HALF_INSTALLED = (PacelineError, ImportError, OSError, RuntimeError, AttributeError, TypeError, ValueError)
"""What half an installation, or a plug-in for another version of paceline, raises: a doctor must outlive it."""

_LOOKS = {"ok": "green", "ready": "green", "warning": "yellow", "problem": "bold red", "missing": "yellow"}


@dataclass(frozen=True)
class _Runtime:
    """A profiler, and whether it can be used here.

    Attributes:
        name: what ``--runtime`` takes.
        versions: of the packages that shape its times; empty when it is missing.
        missing: why it cannot be used.
        choices: what ``--option`` takes, each with its values, the default first.
        measures: whether it measures anything; the dummy does not.
    """

    name: str
    versions: Mapping[str, str]
    missing: Missing | None
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    measures: bool = True


@dataclass(frozen=True)
class _Gpu:
    device: Device
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class _Report:
    """Everything that was seen.

    Attributes:
        device: the machine.
        findings: about it, and about what is installed.
        gpus: its GPUs.
        no_gpu: why there is none; empty when there is one.
        runtimes: the profilers.
        steadiness: of the machine's processor.
    """

    device: Device
    findings: tuple[Finding, ...]
    gpus: list[_Gpu]
    no_gpu: str
    runtimes: list[_Runtime]
    steadiness: Steadiness

    @property
    def problems(self) -> list[str]:
        """Topics that must be mended before a time can be trusted."""
        findings = (*self.findings, *(finding for gpu in self.gpus for finding in gpu.findings))
        return list(dict.fromkeys(finding.topic for finding in findings if finding.severity == "problem"))

    @property
    def is_trusted(self) -> bool:
        return self.steadiness.is_steady and not self.problems

    def verdict(self) -> str:
        """One sentence, and what to do first when it says no."""
        said = self.steadiness.verdict()
        sentence = f"{said[0].upper()}{said[1:]}."
        if self.is_trusted:
            return sentence
        first = f"mend {', '.join(self.problems)} first" if self.problems else "look again in a while"
        return f"{sentence} Do not trust it: {first}."


def doctor(
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.6, max=600, help="How long to look at how steady the machine is.")
    ] = 2.0,
    as_json: Json = False,
) -> None:
    """Look at this machine: what it is, what disturbs times, which runtimes are ready, and how steady it is now.

    Exit status: 0 when a time taken now can be trusted, 1 when not.

    Example: paceline doctor --seconds 10
    """
    report = _examine(seconds)
    if as_json:
        show_json(_json(report))
    else:
        _show(report)
    raise typer.Exit(0 if report.is_trusted else 1)


def _examine(seconds: float) -> _Report:
    """Look at everything, what takes long last."""
    device = read_device()
    say("looking for half a second at who else computes")
    machine = machine_findings(read_health(), read_load())
    gpus, no_gpu = _gpus()
    say(f"timing one piece of work again and again for {seconds:g} s")
    steadiness = probe_steadiness(seconds)
    say("asking the runtimes")
    known = [_runtime(name, profiler, device) for name, profiler in sorted(known_profilers().items())]
    runtimes = [*known, *_plug_ins()]
    software = software_findings(runtimes, installed_packages(_ONE_FOLDER))
    return _Report(device, (*machine, *software), gpus, no_gpu, runtimes, steadiness)


def installed_packages(names: Iterable[str]) -> list[str]:
    """Those of the packages that are installed, with their versions."""
    found = []
    for name in names:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return found


def software_findings(runtimes: Iterable[_Runtime], one_folder: list[str]) -> tuple[Finding, ...]:
    """What is wrong with the runtimes together.

    Args:
        runtimes: all of them.
        one_folder: those of the installed packages that own the same folder.
    """
    found = []
    if len(one_folder) > 1:
        names = " ".join(package.split()[0] for package in one_folder)
        what = f"{' and '.join(one_folder)} own the same folder; the one installed last overwrote half of the other"
        remedy = f"pip uninstall -y {names} && pip install 'paceline[ort]' (or 'paceline[ort-gpu]')"
        found.append(Finding("onnxruntime", "problem", what, remedy))
    if not any(runtime.measures and runtime.missing is None for runtime in runtimes):
        what = "none that measures is ready"
        found.append(Finding("runtimes", "problem", what, "pip install 'paceline[ort]'"))
    return tuple(found)


def _plug_ins() -> tuple[_Runtime, ...]:
    """Runtimes of third parties that are left out."""
    remedy = "Uninstall the package that registers it, or ask its authors to mend it."
    return tuple(
        _Runtime(name, {}, Missing(f"its plug-in is broken: {words}", remedy), measures=False)
        for name, words in broken_profilers().items()
    )


def _gpus() -> tuple[list[_Gpu], str]:
    """The GPUs; and why there is none, or why one cannot be told."""
    try:
        found = [_Gpu(read_gpu(index), gpu_findings(read_gpu_health(index))) for index in range(gpu_count())]
    except NotAvailable as error:
        return [], str(error)
    return found, "" if found else "CUDA shows this process no GPU."


def _runtime(name: str, profiler: type[Profiler], device: Device) -> _Runtime:
    """Open a profiler that says it can be opened, for the versions it would write into a table."""
    ready = partial(_Runtime, name, choices=profiler.choices, measures=profiler is not DummyProfiler)
    try:
        missing = profiler.missing()
        if missing is not None:
            return ready({}, missing)
        return ready(_open(name, profiler, device).environment.runtime.versions, None)
    except _HALF_INSTALLED as error:
        return ready({}, Missing(str(error).rstrip("."), ""))


def _open(name: str, profiler: type[Profiler], device: Device) -> Profiler:
    timed = read_timed_device("cuda") if profiler.accelerator == "cuda" else device
    return open_profiler(name, timed, state_reader(profiler.accelerator))


def installed_versions(profiler: type[Profiler], device: Device) -> Mapping[str, str]:
    """Versions that a profiler would write into a table now; none where it is missing or cannot be opened.

    Args:
        profiler: the profiler.
        device: the device that it times.
    """
    return _runtime(profiler.name, profiler, device).versions


def _show(report: _Report) -> None:
    _show_findings(report.device.describe(), report.findings)
    for gpu in report.gpus:
        _show_findings(gpu.device.describe(), gpu.findings)
    if report.no_gpu:
        print(f"No GPU: {report.no_gpu}\n")
    rows = [_runtime_row(runtime) for runtime in report.runtimes]
    show_table("runtimes", ("runtime", "", "versions, or why not"), rows, left=3, looks=_LOOKS)
    _show_choices(report.runtimes)
    _show_remedies((runtime.name, runtime.missing.remedy) for runtime in report.runtimes if runtime.missing is not None)
    print(report.verdict())


def _show_findings(title: str, findings: Iterable[Finding]) -> None:
    """A table, and below it the remedies, where a command stays in one line and can be copied."""
    found = tuple(findings)
    rows = [(finding.topic, finding.severity, finding.what) for finding in found]
    show_table(title, ("topic", "", "what was seen"), rows, left=3, looks=_LOOKS)
    _show_remedies((finding.topic, finding.remedy) for finding in found if finding.severity != "ok")


def _runtime_row(runtime: _Runtime) -> tuple[str, str, str]:
    if runtime.missing is not None:
        return runtime.name, "missing", runtime.missing.reason
    versions = ", ".join(f"{name} {version}" for name, version in sorted(runtime.versions.items()))
    return runtime.name, "ready", versions


def _show_choices(runtimes: Iterable[_Runtime]) -> None:
    """What ``--option`` takes, of the runtimes that have options; also of those that are missing here."""
    print("Values of --option, the default first:")
    for runtime in runtimes:
        if runtime.choices:
            options = (f"{name}={'|'.join(values)}" for name, values in runtime.choices.items())
            print(f"  {runtime.name}: {', '.join(options)}")
    print()


def _show_remedies(remedies: Iterable[tuple[str, str]]) -> None:
    lines = [f"  {topic}: {remedy}" for topic, remedy in remedies if remedy]
    print("\n".join([*(["What to do:"] if lines else []), *lines, ""]))


def _json(report: _Report) -> dict[str, Any]:
    return {
        "trusted": report.is_trusted,
        "verdict": report.verdict(),
        "device": report.device.to_json(),
        "findings": [asdict(finding) for finding in report.findings],
        "gpus": [
            {"device": gpu.device.to_json(), "findings": [asdict(finding) for finding in gpu.findings]}
            for gpu in report.gpus
        ],
        "no_gpu": report.no_gpu or None,
        "runtimes": [_runtime_json(runtime) for runtime in report.runtimes],
        "steadiness": report.steadiness.to_json(),
    }


def _runtime_json(runtime: _Runtime) -> dict[str, Any]:
    missing = None if runtime.missing is None else asdict(runtime.missing)
    return {
        "name": runtime.name,
        "ready": missing is None,
        "versions": dict(runtime.versions),
        "missing": missing,
        "options": {name: list(values) for name, values in runtime.choices.items()},
    }
