"""A stand-in for trtexec of TensorRT 8.0 to 11: its options, its files, its words, and no GPU.

It knows exactly the options that the version it plays has, refuses others as trtexec does, and writes the file of
--exportTimes with that version's keys. It is started as a program, on other machines too, so that it needs only the
standard library of Python 3.6. The environment, or the wrapper that ``install`` writes, sets

    FAKE_TRTEXEC_VERSION   8001, 8502, 8601, 101600 or 110100
    FAKE_TRTEXEC_FAULT     one of FAULTS
    FAKE_TRTEXEC_LOG       a file that gets one line of JSON, its arguments, for each start
"""

import hashlib
import json
import os
import random
import stat
import sys
import time
from pathlib import Path
from typing import Any

FAULTS = ("build", "run", "hang", "garbage", "empty", "crash", "silent")


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
    101600: _EVER + _WEAK + _FROM_8_5 + _FROM_8_6 + _FROM_10,
    110100: _EVER + _FROM_8_5 + _FROM_8_6 + [name for name in _FROM_10 if name not in ("bf16", "fp8")] + _FROM_11,
}

_WITH_VALUE = _words(
    """onnx saveEngine loadEngine exportTimes memPoolSize workspace iterations warmUp duration avgRuns
percentile timingCacheFile builderOptimizationLevel"""
)

_FIRST_BYTE_OF_ONNX = b"\x08"  # The tag of ir_version, which every exporter writes first.


class Failed(Exception):
    """Ends a run the way trtexec does."""


def say(severity: str, words: str) -> None:
    """One line of trtexec's log."""
    sys.stdout.write(f"[01/02/2024-03:04:05] [{severity}] {words}\n")


def print_help(version: int) -> None:
    """All options, in the layout of trtexec's help."""
    sys.stdout.write("=== Build Options ===\n")
    for name in OPTIONS[version]:
        if name != "help":
            shown = name + ("=<value>" if name in _WITH_VALUE else "")
            sys.stdout.write(f"  --{shown:<26} What it does (default = disabled)\n")
    sys.stdout.write("\n=== Help ===\n  --help, -h                  Print this message\n")


def parse(version: int, arguments: "list[str]") -> "dict[str, str]":
    """Options by name; refuses what this version does not know."""
    given = {}
    for argument in arguments:
        name, _, value = argument.lstrip("-").partition("=")
        given[name] = value
    unknown = [name for name in given if name not in OPTIONS[version]]
    if unknown:
        print_help(version)
        for name in unknown:
            say("E", f"Unknown option: --{name} {given[name]}")
        raise Failed
    return given


def build(given: "dict[str, str]", fault: str) -> "dict[str, Any]":
    """An engine: what it was made of."""
    model = Path(given["onnx"]).read_bytes()
    if not model.startswith(_FIRST_BYTE_OF_ONNX):
        say("E", "[TRT] ModelImporter.cpp:735: Failed to parse ONNX model from file: " + given["onnx"])
        say("E", "Failed to parse onnx file")
        say("E", "Engine set up failed")
        raise Failed
    if fault == "build":
        say("E", "Error[10]: [optimizer.cpp::computeCosts::3728] Error Code 10: Internal Error (no implementation)")
        say("E", "Engine could not be created from network")
        raise Failed
    flags = sorted(name for name in given if name in _WEAK)
    return {"model": hashlib.sha256(model).hexdigest(), "bytes": len(model), "flags": flags}


def load(path: str) -> "dict[str, Any]":
    """An engine that ``build`` wrote."""
    try:
        return dict(json.loads(Path(path).read_text()))
    except (OSError, ValueError) as error:
        say("E", "Error opening engine file: " + path)
        say("E", "Engine set up failed")
        raise Failed from error


def rows(version: int, engine: "dict[str, Any]", given: "dict[str, str]") -> "list[dict[str, float]]":
    """One for each iteration: the larger the model, the longer."""
    draw = random.Random(engine["model"])
    faster = 0.5 if engine["flags"] else 1.0
    warm_up_ms = float(given.get("warmUp") or 200)
    clock_ms = warm_up_ms - 5.0 if version < 8400 else warm_up_ms  # Early versions write the warm-up too.
    found, counted = [], 0
    while counted < int(given.get("iterations") or 10):
        counted += clock_ms >= warm_up_ms
        compute_ms = (0.02 + engine["bytes"] * 1e-6) * faster * draw.uniform(0.99, 1.01)
        found.append(row(version, clock_ms, compute_ms))
        clock_ms += compute_ms + 0.001
    return found


def row(version: int, clock_ms: float, compute_ms: float) -> "dict[str, float]":
    """One iteration, with the keys of that version."""
    end_ms = clock_ms + compute_ms
    values = {
        "startEnqMs": clock_ms - 0.01,
        "endEnqMs": clock_ms - 0.005,
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


def infer(version: int, engine: "dict[str, Any]", given: "dict[str, str]", fault: str) -> None:
    """Run an engine and write its times."""
    if fault == "hang":
        time.sleep(600)
    if fault == "crash":
        os.abort()
    if fault == "run":
        say(
            "E",
            "Error[1]: [executionContext.cpp::enqueueV3::2666] Error Code 1: Cuda Runtime (an illegal memory access)",
        )
        say("E", "Error occurred during inference")
        raise Failed
    found = rows(version, engine, given)
    last_ms = found[-1]["computeMs"]
    say("I", f"GPU Compute Time: min = {last_ms:g} ms, max = {last_ms:g} ms, mean = {last_ms:g} ms")
    if "exportTimes" in given and fault != "silent":
        text = {"garbage": '[ { "startEnqMs" : ', "empty": "[\n]\n"}.get(fault, json.dumps(found))
        Path(given["exportTimes"]).write_text(text)


def work(version: int, arguments: "list[str]", fault: str) -> None:
    """What trtexec does between its first and its last line."""
    given = parse(version, arguments)
    if "loadEngine" in given:
        engine = load(given["loadEngine"])
    elif "onnx" in given:
        engine = build(given, fault)
    else:
        say("E", "Model missing or format not recognized")
        raise Failed
    if "saveEngine" in given:
        Path(given["saveEngine"]).write_text(json.dumps(engine))
    if given.get("timingCacheFile"):
        with Path(given["timingCacheFile"]).open("a") as stream:
            stream.write(engine["model"] + "\n")
    if "buildOnly" in given or "skipInference" in given:
        say("I", "Skipped inference phase since --skipInference is added.")
    else:
        infer(version, engine, given, fault)


def main(arguments: "list[str]") -> int:
    """Play one start of trtexec."""
    version = int(os.environ.get("FAKE_TRTEXEC_VERSION", "8502"))
    if os.environ.get("FAKE_TRTEXEC_LOG"):
        with Path(os.environ["FAKE_TRTEXEC_LOG"]).open("a") as stream:
            stream.write(json.dumps(arguments) + "\n")
    build_number = " [b33]" if version >= 100000 else ""
    line = f"TensorRT.trtexec [TensorRT v{version}]{build_number} # trtexec {' '.join(arguments)}\n"
    sys.stdout.write("&&&& RUNNING " + line)
    if "--help" in arguments or "-h" in arguments:
        print_help(version)
        return 0
    try:
        work(version, arguments, os.environ.get("FAKE_TRTEXEC_FAULT", ""))
    except Failed:
        sys.stdout.write("&&&& FAILED " + line)
        return 1
    sys.stdout.write("&&&& PASSED " + line)
    return 0


def install(folder: str, version: int = 8502, fault: str = "", log: str = "", python: str = sys.executable) -> str:
    """Write a program ``trtexec`` into ``folder`` that plays ``version``; returns its path."""
    path = Path(folder) / "trtexec"
    settings = f"FAKE_TRTEXEC_VERSION={version} FAKE_TRTEXEC_FAULT='{fault}' FAKE_TRTEXEC_LOG='{log}'"
    call = f"exec '{python}' '{Path(__file__).resolve()}' \"$@\""
    path.write_text(f"#!/bin/sh\nexport {settings}\n{call}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
