"""What host and agent say to each other: JSON lines, and raw bytes where a line says so.

The host starts ``COMMAND`` on the device and writes to its standard input

1. the source of the bootstrap as a Python literal, one line,
2. a line ``{"protocol": 1, "run": ID, "bundle": BYTES, "grace_s": SECONDS, "base": FOLDER | null,
   "wait_s": SECONDS}``, and so many bytes: a zip file of this directory.

The bootstrap unpacks the bundle into the work folder of the run, ``BASE/paceline-UID/ID``, and becomes the agent.
BASE is the device's folder for temporary files unless the line names one. Each line of standard output is an answer;
what comes before the first one is some greeting of the device's shell, and means nothing.

Greeting, unasked, once: ``{"hello": {"protocol", "python", "pid", "boot", "folder", "free_bytes"}}`` or ``{"refused":
{"kind": "busy" | "python" | "disk full" | "folder", "words": WORDS}}``, after which the agent ends. ``busy`` comes
after ``wait_s`` seconds of waiting, and says who has the device, for how long, and in which process. An agent of the
same run that is still there, because the break of its connection did not reach it, is ended.

Requests have an ``id``, and the answer has the same. The next request follows the answer; only ``bye`` may come
before.

``{"id", "do": "open", "runtime", "threads", "options"}``
    Starts a process that measures, a fresh one for each round; the one before ends. Answered by ``{"opened":
    {"device": {...}, "versions": {...}, "options": {...}, "patience_s", "takes_turns", "graph_precisions":
    {PRECISION: PRECISION}}}`` or ``{"missing": {"reason", "remedy"}}``. ``graph_precisions`` has the precisions that
    the runtime measures, each with the precision that the ONNX graph must have for it.
``{"id", "do": "lacks", "models": [DIGEST]}``
    Answered by ``{"lacks": [DIGEST]}``: those that are not in the store. A digest is the SHA-256 of the ONNX file.
``{"id", "do": "store", "model": DIGEST, "bytes": N}`` and N bytes
    Answered by ``{"stored": DIGEST}``, or ``{"failed": {"kind": "disk full" | "digest" | "folder", "words",
    "free_bytes"}}``.
``{"id", "do": "drop", "bytes": N, "keep": [DIGEST]}``
    Removes the models that were used longest ago until N bytes are free. Answered by ``{"dropped": [DIGEST],
    "free_bytes"}``.
``{"id", "do": "measure", "token", "model": MODEL, "plan": {...}, "sentinel": null | {"model": MODEL, "usual_s"}}``
    One burst. MODEL is ``{"digest", "precision", "inputs": [{"name", "shape": [batch, channels, height, width],
    "type": "float32" | "float16"}]}``. Answered by ``{"burst": {...}, "usual_s": SECONDS | null}``, the burst as
    ``latency.Burst`` is written, or ``{"failure": {"stage": "build" | "load" | "run", "reason"}}``. A token that was
    answered before, in a session that broke, gets the same answer once more: nothing is measured twice. Other
    answers, after which it was not measured: ``{"lacks": [DIGEST]}``; ``{"failed": {"kind": "disk full", ...}}``; and
    ``{"missing": ...}`` where a new process, after one that crashed, could not be opened.
``{"id", "do": "state"}``
    Answered by ``{"device", "state", "gpu": null | {"device", "state"}, "health": {...}, "runtimes": {NAME: null |
    {"reason", "remedy"}}}``: what ``paceline targets test`` shows; or by ``{"failed": {"kind": "state", ...}}``.
``{"id", "do": "bye"}``
    What is being done is stopped, and the answer to it need not come. Answered by ``{"bye": true}``; the work folder
    is gone when it comes.

``{"beat": SECONDS}`` comes every two seconds: the device lives. It comes while nothing is asked for, too, because a
connection of which one end is gone is only noticed by writing to it.

Standard input that ends without ``bye`` is a connection that was lost: what is being measured is killed, and the work
folder stays for ``grace_s`` seconds, so that the same run finds its models when it comes back. Then it is removed,
also when the agent itself was killed. One run at a time has the device, see ``agent.lock``.
"""

COMMAND = "import io; exec(eval(io.FileIO(0, closefd=False).readline()))"
"""What ``python3 -c`` is given, without a quote or a line break that a shell could spoil.

Python 2 runs it, too, so that the bootstrap can say what it thinks of that. It reads the first line without a buffer:
what comes after it is for the program in that line.
"""

BEAT_S = 2.0
"""Seconds between two signs of life."""

GRACE_S = 600.0
"""How long a work folder waits for a run whose connection was lost: a reboot and somebody who finds the cable."""
