#!/usr/bin/env python3
"""A stand-in for trtexec of TensorRT 8.0 to 11: its options, its files, its words, and no GPU.

It knows exactly the options that the version it plays has, refuses others as trtexec does, writes the files of
--exportTimes, --exportProfile and --exportLayerInfo as that version does, and loads only engines of that version. It is
started as a program, on other machines too, so that it needs nothing but the standard library of Python 3.6.

Put one anywhere and point at it:

    from tests.stand_ins import trtexec
    program = trtexec.install(str(tmp_path), 8502)                      # a shell script that plays TensorRT 8.5.2
    program = trtexec.install(str(tmp_path), 8502, "hang", on="14232")  # hangs on the model of 14 232 bytes alone
    monkeypatch.setenv("TRTEXEC", program)

Or copy this file to a folder on PATH as ``trtexec-8502``. Settings come from the environment, or from the script that
``install`` writes:

    FAKE_TRTEXEC_VERSION   a key of OPTIONS; without it the digits that the file's name ends with; without them 8502
    FAKE_TRTEXEC_FAULT     one of FAULTS, on every model unless the next two say otherwise
    FAKE_TRTEXEC_ON        only on the models whose SHA-256 begins with this, or of so many bytes, or that contain this
    FAKE_TRTEXEC_WHILE     only while this file exists: remove it, and the device is well again
    FAKE_TRTEXEC_LOG       a file that gets a line of JSON for each start, its arguments, and each hang, its processes
    FAKE_TRTEXEC_SLOWER    times are multiplied by it: another device of the same kind
    FAKE_TRTEXEC_SEED      another seed is another noise; the same one gives the same times
    FAKE_TRTEXEC_LASTS     seconds that each inference phase really takes

A time is that of the model's size, 20 us and 1 us for each kB, half of it at fp16 and int8, with 1 % of noise.
"""

import hashlib
import json
import os
import random
import re
import resource
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

FAULTS = (
    "build",
    "run",
    "hang",
    "hang in build",
    "garbage",
    "empty",
    "negative",
    "crash",
    "crash in build",
    "silent",
    "torn engine",
)
"""What can go wrong; ``hang`` starts a child of its own that hangs too."""


def _words(text: str) -> "list[str]":
    return text.split()


_EVER = _words(
    """onnx minShapes optShapes maxShapes inputIOFormats outputIOFormats profilingVerbosity avgTiming refit sparsity
noTF32 safe consistency saveEngine loadEngine tacticSources noBuilderCache timingCacheFile shapes loadInputs iterations
warmUp duration sleepTime exposeDMA noDataTransfers useManagedMemory useSpinWait threads useCudaGraph timeDeserialize
timeRefit separateProfileRun verbose avgRuns percentile dumpRefit dumpOutput dumpProfile exportTimes exportOutput
exportProfile device useDLACore allowGPUFallback help"""
)
_WEAK = ["fp16", "int8", "best", "calib"]
_UNTIL_8_5 = ["workspace", "minTiming", "batch", "maxBatch", "streams", "buildOnly", "plugins"]
_FROM_8_5 = ["memPoolSize", "idleTime", "directIO", "dumpLayerInfo", "exportLayerInfo", "preview"]
_FROM_8_6 = ["skipInference", "builderOptimizationLevel", "maxAuxStreams", "infStreams", "useProfile", "staticPlugins"]
_FROM_10 = ["stronglyTyped", "bf16", "fp8", "stripWeights", "allocationStrategy", "weightStreamingBudget"]
_FROM_11 = ["noCudaGraph", "noSpinWait", "includeDataTransfers"]

OPTIONS = {
    8001: _EVER + _WEAK + _UNTIL_8_5 + ["strictTypes"],
    8502: _EVER + _WEAK + _UNTIL_8_5 + _FROM_8_5 + ["heuristic"],
    8601: _EVER + _WEAK + _FROM_8_5 + _FROM_8_6 + ["heuristic"],
    100300: _EVER + _WEAK + _FROM_8_5 + _FROM_8_6 + _FROM_10,
    101600: _EVER + _WEAK + _FROM_8_5 + _FROM_8_6 + _FROM_10,
    110100: _EVER + _FROM_8_5 + _FROM_8_6 + [name for name in _FROM_10 if name not in ("bf16", "fp8")] + _FROM_11,
}

_WITH_VALUE = _words(
    """onnx saveEngine loadEngine exportTimes exportProfile exportLayerInfo exportOutput memPoolSize workspace
iterations warmUp duration avgRuns percentile timingCacheFile builderOptimizationLevel device profilingVerbosity"""
)

_POOLS = ("workspace", "dlaSRAM", "dlaLocalDRAM", "dlaGlobalDRAM", "tacticSharedMem")

_FIRST_BYTE_OF_ONNX = b"\x08"  # The tag of ir_version, which every exporter writes first.

_ENQUEUE_MS = 0.005
_LAYERS = ("Reformatting CopyNode for Input Tensor 0", "Conv_0 + Relu_1", "Conv_2", "Conv_3 + Add_4")


class Failed(Exception):
    """Ends a run the way trtexec does."""


def say(severity: str, words: str) -> None:
    """One line of trtexec's log."""
    sys.stdout.write("[{}] [{}] {}\n".format(time.strftime("%m/%d/%Y-%H:%M:%S"), severity, words))


def print_help(version: int) -> None:
    """All options, in the layout of trtexec's help."""
    sys.stdout.write("=== Model Options ===\n  --onnx=<file>               ONNX model\n\n=== Build Options ===\n")
    for name in OPTIONS[version]:
        if name not in ("help", "onnx"):
            shown = name + ("=<value>" if name in _WITH_VALUE else "")
            sys.stdout.write(f"  --{shown:<26} What it does (default = disabled)\n")
    sys.stdout.write("\n=== Help ===\n  --help, -h                  Print this message\n")


def parse(version: int, arguments: "list[str]") -> "dict[str, str]":
    """Options by name; refuses what this version does not know, and values that mean nothing."""
    given = {}
    for argument in arguments:
        name, _, value = argument.lstrip("-").partition("=")
        given[name] = value
    wrong = [f"Unknown option: --{name} {given[name]}" for name in given if name not in OPTIONS[version]]
    pool, _, size = given.get("memPoolSize", "workspace:1").partition(":")
    if pool not in _POOLS or not re.match(r"[0-9.]+[BKMG]?$", size):
        wrong.append("Unknown memory pool: " + given["memPoolSize"])
    if wrong:
        print_help(version)
        for words in wrong:
            say("E", words)
        raise Failed
    return given


def build(version: int, given: "dict[str, str]") -> "dict[str, Any]":
    """An engine: what it was made of."""
    model = Path(given["onnx"]).read_bytes() if Path(given["onnx"]).is_file() else b""
    if not model.startswith(_FIRST_BYTE_OF_ONNX):
        say("E", "[TRT] ModelImporter.cpp:735: Failed to parse ONNX model from file: " + given["onnx"])
        say("E", "Failed to parse onnx file")
        say("E", "Engine set up failed")
        raise Failed
    fault = fault_on(model)
    stop_for(fault, " in build")
    if fault == "build":
        say("E", "Error[10]: [optimizer.cpp::computeCosts::3728] Error Code 10: Internal Error (no implementation)")
        say("E", "Engine could not be created from network")
        say("E", "Building engine failed")
        say("E", "Failed to create engine from model or file.")
        say("E", "Engine set up failed")
        raise Failed
    flags = sorted(name for name in given if name in _WEAK)
    made_of = {"model": hashlib.sha256(model).hexdigest(), "bytes": len(model), "flags": flags}
    return dict(made_of, version=version, fault=fault)


def load(version: int, path: str) -> "dict[str, Any]":
    """An engine that ``build`` wrote."""
    try:
        text = Path(path).read_text()
    except OSError as error:
        say("E", "Error opening engine file: " + path)
        say("E", "Engine set up failed")
        raise Failed from error
    try:
        engine = dict(json.loads(text))
    except ValueError:
        engine = {}
    if engine.get("version") != version:
        say(
            "E",
            "Error[1]: [stdArchiveReader.cpp::StdArchiveReader::32] Error Code 1: Serialization (Serialization "
            "assertion stdVersionRead == serializationVersion failed.Version tag does not match. Note: Current "
            f"Version: {version}, Serialized Engine Version: {engine.get('version', 0)})",
        )
        say("E", "Engine deserialization failed")
        say("E", "Got invalid engine!")
        say("E", "Inference set up failed")
        raise Failed
    return engine


def fault_on(model: bytes) -> str:
    """The fault that strikes this model now; empty for none."""
    only, only_while = os.environ.get("FAKE_TRTEXEC_ON", ""), os.environ.get("FAKE_TRTEXEC_WHILE", "")
    if only_while and not Path(only_while).exists():
        return ""
    digest = hashlib.sha256(model).hexdigest()
    if only and not (digest.startswith(only) or only == str(len(model)) or only.encode() in model):
        return ""
    return os.environ.get("FAKE_TRTEXEC_FAULT", "")


def stop_for(fault: str, where: str = "") -> None:
    """Hang or crash, where the fault says so."""
    sys.stdout.flush()
    if fault == "hang" + where:
        child = subprocess.Popen(["sleep", "600"])
        log({"hangs": os.getpid(), "child": child.pid})
        time.sleep(600)
    if fault == "crash" + where:
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))  # By 0 it would still be dumped where a program takes dumps.
        os.abort()


def rows(version: int, engine: "dict[str, Any]", given: "dict[str, str]") -> "list[dict[str, float]]":
    """One for each iteration: the larger the model, the longer."""
    draw = random.Random(engine["model"] + os.environ.get("FAKE_TRTEXEC_SEED", ""))
    slower = float(os.environ.get("FAKE_TRTEXEC_SLOWER") or 1) * (0.5 if engine["flags"] else 1.0)
    warm_up_ms = float(given.get("warmUp") or 200)
    duration_ms = 1e3 * float(given.get("duration") or 3)
    clock_ms = warm_up_ms - 5.0 if version < 8400 else warm_up_ms  # Early versions write the warm-up too.
    found, counted, began_ms = [], 0, warm_up_ms
    while counted < int(given.get("iterations") or 10) or clock_ms < began_ms + duration_ms:
        counted += clock_ms >= warm_up_ms
        compute_ms = (0.02 + engine["bytes"] * 1e-6) * slower * draw.uniform(0.99, 1.01)
        found.append(row(version, clock_ms, compute_ms))
        clock_ms += compute_ms + 0.001
    return found


def row(version: int, clock_ms: float, compute_ms: float) -> "dict[str, float]":
    """One iteration, with the keys of that version."""
    end_ms = clock_ms + compute_ms
    values = {
        "startEnqMs": clock_ms - 2 * _ENQUEUE_MS,
        "endEnqMs": clock_ms - _ENQUEUE_MS,
        "startH2dMs": clock_ms,
        "endH2dMs": clock_ms,
        "startComputeMs": clock_ms,
        "endComputeMs": end_ms,
        "startD2hMs": end_ms,
        "endD2hMs": end_ms,
        "h2dMs": 0.0,
        "computeMs": compute_ms,
        "d2hMs": 0.0,
        "latencyMs": compute_ms,
    }
    if version < 8400:
        values["endToEndMs"] = compute_ms
    return values


def times_text(found: "list[dict[str, float]]") -> str:
    """The file of --exportTimes: C++ writes six digits, so that a clock of more than a second has steps of 10 us."""
    lines = [", ".join(f'"{name}" : {value:g}' for name, value in values.items()) for values in found]
    return (
        "[\n"
        + "\n".join(f"  {{ {line} }}" if number == 0 else f", {{ {line} }}" for number, line in enumerate(lines))
        + "\n]\n"
    )


def profile_text(version: int, found: "list[dict[str, float]]") -> str:
    """The file of --exportProfile: a count, and then the layers."""
    total_ms = sum(values["computeMs"] for values in found)
    layers = []  # type: list[dict[str, Any]]
    for name in _LAYERS:
        share = 1 / len(_LAYERS)
        layer = {"name": name, "timeMs": total_ms * share, "averageMs": total_ms * share / len(found)}
        if version >= 8400:
            layer["medianMs"] = layer["averageMs"]
        layers.append(dict(layer, percentage=100 * share))
    return json.dumps([{"count": len(found)}, *layers])


def layers_text(version: int, given: "dict[str, str]") -> str:
    """The file of --exportLayerInfo: names alone, unless details were asked for when the engine was built."""
    detailed = given.get("profilingVerbosity") == "detailed"
    layers = [{"Name": name, "LayerType": "CaskConvolution"} if detailed else name for name in _LAYERS]
    return json.dumps({"Layers": layers, "Bindings" if version < 110000 else "I/O Tensors": ["input_0", "output"]})


def infer(version: int, engine: "dict[str, Any]", given: "dict[str, str]") -> None:
    """Run an engine and write its times."""
    fault = engine["fault"] if Path(os.environ.get("FAKE_TRTEXEC_WHILE") or os.sep).exists() else ""
    say("I", "Starting inference")
    stop_for(fault)
    if fault == "run":
        say(
            "E",
            "Error[1]: [executionContext.cpp::enqueueV3::2666] Error Code 1: Cuda Runtime (an illegal memory access)",
        )
        say("E", "Error occurred during inference")
        raise Failed
    time.sleep(float(os.environ.get("FAKE_TRTEXEC_LASTS") or 0))
    found = rows(version, engine, given)
    summarise(found)
    if fault == "negative":  # A clock that was set back within an iteration.
        found[len(found) // 2]["computeMs"] *= -1
    if "exportTimes" in given and fault != "silent":
        text = {"garbage": '[ { "startEnqMs" : ', "empty": "[\n]\n"}.get(fault) or times_text(found)
        Path(given["exportTimes"]).write_text(text)
    if "exportProfile" in given:
        Path(given["exportProfile"]).write_text(profile_text(version, found))


def summarise(found: "list[dict[str, float]]") -> None:
    """What trtexec says of its times."""
    compute_ms = sorted(values["computeMs"] for values in found)
    wall_ms = found[-1]["endD2hMs"] - found[0]["startH2dMs"]
    middle_ms, late_ms = (compute_ms[len(compute_ms) * part // 10] for part in (5, 9))
    mean_ms = sum(compute_ms) / len(compute_ms)
    spread = f"min = {compute_ms[0]:g} ms, max = {compute_ms[-1]:g} ms, mean = {mean_ms:g} ms"
    spread += f", median = {middle_ms:g} ms, percentile(90%) = {late_ms:g} ms"
    say("I", "=== Performance summary ===")
    say("I", f"Throughput: {1e3 * len(found) / wall_ms:g} qps")
    for name in ("Latency", "GPU Compute Time"):
        say("I", f"{name}: {spread}")
    say("I", f"Total Host Walltime: {wall_ms / 1e3:g} s")
    say("I", f"Total GPU Compute Time: {sum(compute_ms) / 1e3:g} s")


def work(version: int, arguments: "list[str]") -> None:
    """What trtexec does between its first and its last line."""
    given = parse(version, arguments)
    if "loadEngine" in given:
        engine = load(version, given["loadEngine"])
    elif "onnx" in given:
        engine = build(version, given)
    else:
        say("E", "Model missing or format not recognized")
        raise Failed
    if "saveEngine" in given:
        text = json.dumps(engine)
        Path(given["saveEngine"]).write_text(text[: len(text) // 2] if engine["fault"] == "torn engine" else text)
    if given.get("timingCacheFile"):
        with Path(given["timingCacheFile"]).open("a") as stream:
            stream.write(engine["model"] + "\n")
    if "exportLayerInfo" in given:
        Path(given["exportLayerInfo"]).write_text(layers_text(version, given))
    if "buildOnly" in given or "skipInference" in given:
        only = "skipInference" if "skipInference" in given else "buildOnly"
        say("I", f"Skipped inference phase since --{only} is added.")
    else:
        infer(version, engine, given)


def played_version(program: str) -> int:
    """Which version to play: as the environment says, or the name of the program."""
    digits = re.search(r"(\d+)$", Path(program).name)
    return int(os.environ.get("FAKE_TRTEXEC_VERSION") or (digits.group(1) if digits else 8502))


def log(entry: "Any") -> None:
    """One more line of the log."""
    if os.environ.get("FAKE_TRTEXEC_LOG"):
        with Path(os.environ["FAKE_TRTEXEC_LOG"]).open("a") as stream:
            stream.write(json.dumps(entry) + "\n")


def main(program: str, arguments: "list[str]") -> int:
    """Play one start of trtexec."""
    version = played_version(program)
    log(arguments)
    build_number = " [b33]" if version >= 100000 else ""
    line = f"TensorRT.trtexec [TensorRT v{version}]{build_number} # trtexec {' '.join(arguments)}\n"
    sys.stdout.write("&&&& RUNNING " + line)
    if not arguments or "--help" in arguments or "-h" in arguments:
        print_help(version)
        if not arguments:
            sys.stdout.write("&&&& PASSED " + line)
        return 0
    try:
        work(version, arguments)
    except Failed:
        sys.stdout.write("&&&& FAILED " + line)
        return 1
    sys.stdout.write("&&&& PASSED " + line)
    return 0


def install(
    folder: str, version: int = 8502, fault: str = "", log: str = "", python: str = sys.executable, **more: str
) -> str:
    """Write a program ``trtexec`` that plays ``version``, with its settings; it needs this file to stay where it is.

    Args:
        folder: where it is put.
        version: a key of OPTIONS.
        fault: one of FAULTS.
        log: file of its starts.
        python: the Python that runs it.
        more: the other settings, in lower case and without what they all begin with: ``on``, ``slower``.

    Returns:
        Its path.
    """
    settings = dict(more, version=str(version), fault=fault, log=log)
    words = " ".join(f"FAKE_TRTEXEC_{name.upper()}='{value}'" for name, value in settings.items())
    path = Path(folder) / "trtexec"
    path.write_text(f"#!/bin/sh\nexport {words}\nexec '{python}' '{Path(__file__).resolve()}' \"$@\"\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[0], sys.argv[1:]))
