"""Takes the place of agent/worker.py in a bundle: measures nothing, and fails on command.

The first word of a model says what becomes of it: ``crash``, ``hang``, ``refuse``, ``fill``; anything else is measured.
A file that the variable FAULT names says the same of all models, as long as it is there. Each model is noted in the
file LOG before anything becomes of it, and the number of a child that hangs, too.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

FAULTS = ("crash", "hang", "refuse", "fill")

OPENED = {
    "device": {"kind": "cpu", "name": "Stand-in 1", "architecture": "x86_64", "cores": 4},
    "versions": {"standin": os.environ.get("VERSION", "1")},
    "patience_s": float(os.environ.get("PATIENCE_S", "60")),
    "takes_turns": os.environ.get("TURNS") == "yes",
    "graph_precisions": {"fp32": "fp32", "int8": "fp32"},
}


def note(words: str) -> None:
    """A line in the log."""
    with Path(os.environ["LOG"]).open("a", encoding="utf-8") as log:
        log.write(words + "\n")


def fault(content: bytes) -> str:
    """What is to become of a model."""
    path = Path(os.environ.get("FAULT", "/nowhere"))
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return next((word for word in FAULTS if content.startswith(word.encode())), "model")


def answer(request: "dict[str, Any]") -> "dict[str, Any]":
    """A burst, or worse."""
    content = Path(request["model"]["path"]).read_bytes()
    what = fault(content)
    note("measure {} {}".format(what, request["plan"].get("number", "")))
    if what == "crash":
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))  # By 0 it would still be dumped where a program takes dumps.
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "hang":
        note(f"child {subprocess.Popen(['sleep', '1000'], start_new_session=True).pid}")
        note(f"hangs {os.getpid()}")
        time.sleep(1000)
    if what == "refuse":
        return {"failure": {"stage": "load", "reason": "the runtime refused it"}, "ends": True}
    if what == "fill":
        return {"failure": {"stage": "build", "reason": "[Errno 28] No space left on device"}, "ends": False}
    burst = {
        "samples_s": [1e-3 + 1e-9 * len(content)] * 6,
        "calls_per_sample": 1,
        "stopped": "precise",
        "before": {"load_1min": 0.5},
        "after": {"load_1min": 0.5},
        "measured_at": "1970-01-01T00:01:00+00:00",
        "process": str(os.getpid()),
    }
    sentinel = request["sentinel"]
    usual_s = None if sentinel is None else min(sentinel["usual_s"] or 1.0, 0.5)
    return {"burst": burst, "usual_s": usual_s, "ends": False}


def main() -> None:
    """Serve the agent."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    first = json.loads(sys.stdin.readline())
    if first["runtime"] == "tensorrt":
        opened: dict[str, Any] = {"missing": {"reason": "it is not there", "remedy": "Bring it."}}
    else:
        patience_s = float(first["options"].get("patience_s", OPENED["patience_s"]))
        opened = {"opened": dict(OPENED, options=first["options"], patience_s=patience_s)}
    answers.write(json.dumps(opened) + "\n")
    answers.flush()
    for line in sys.stdin:
        answers.write(json.dumps(answer(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
