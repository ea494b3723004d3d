"""The process that measures: ``python -m latency.worker``, spoken to by ``latency.fresh_process``.

It reads one JSON object a line from standard input and answers each with one line on what was standard output when
it began. Whatever a runtime prints goes to standard error instead.

1. ``{"profiler": NAME, "device": {...}, "threads": N, "options": {...}, "plug_ins": [FILE, ...], "usual_s": {PRECISION:
   SECONDS}}`` is answered by ``{"environment": {...}, "patience_s": SECONDS}`` or ``{"missing": WORDS, "exit_code":
   CODE}``.
2. ``{"workload": {...}, "plan": {...}}`` is answered by ``{"kind": "measurement" | "failure", "outcome": {...},
   "usual_s": SECONDS | null, "ends": true | false}``, as often as one is asked for.

It ends when standard input does; after an answer that says so; and at once, whatever it is doing, when nobody can read
its answers any more.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from agent.answers import answer_requests
from devices import Device, PacelineError, state_reader
from latency.measurement import Failure, Outcome
from latency.plug_in_files import load_plug_in
from latency.profiler import Profiler, ProfilingError, profiling_errors
from latency.profilers import find_profiler, open_profiler
from latency.sampling import SamplingPlan
from latency.sentinel import Sentinel, sentinel_workload
from latency.workload import Workload


def serve(requests: Iterator[str], answer: Callable[[dict[str, Any]], None]) -> None:
    """Answer requests until there are no more.

    Args:
        requests: lines, each a JSON object; see the module.
        answer: sends one answer.
    """
    line = next(requests, None)
    if line is None:
        return
    first = json.loads(line)
    try:
        for file in first["plug_ins"]:
            load_plug_in(Path(file))
        name, device = first["profiler"], Device.from_json(first["device"])
        state = state_reader(find_profiler(name).accelerator)
        profiler = open_profiler(name, device, state, first["threads"], first["options"])
    except PacelineError as error:
        answer({"missing": str(error), "exit_code": error.exit_code})
        return
    answer({"environment": profiler.environment.to_json(), "patience_s": profiler.patience_s})
    with ExitStack() as stack:
        sentinels: dict[str, Sentinel | None] = {}
        for request in map(json.loads, requests):
            workload = Workload.from_json(request["workload"])
            if workload.precision not in sentinels:
                usual_s = first["usual_s"].get(workload.precision)
                sentinels[workload.precision] = _sentinel(profiler, workload.precision, usual_s, stack)
            sentinel = sentinels[workload.precision]
            outcome = profiler.measure(workload, SamplingPlan.from_json(request["plan"]), sentinel)
            seen_s = None if sentinel is None else sentinel.usual_s
            ends = _is_spent(profiler, outcome)
            answer({"kind": outcome.kind, "outcome": outcome.to_json(), "usual_s": seen_s, "ends": ends})
            if ends:
                return


def _is_spent(profiler: Profiler, outcome: Outcome) -> bool:
    """Whether nothing more can be measured in this process: after an error on a GPU, CUDA answers only with that."""
    return profiler.accelerator == "cuda" and isinstance(outcome, Failure) and outcome.stage in ("load", "run")


def _sentinel(profiler: Profiler, precision: str, usual_s: float | None, stack: ExitStack) -> Sentinel | None:
    """A sentinel that stays loaded until ``stack`` is closed; None where the runtime has none.

    A runtime that cannot run it in this precision, whatever it raises, measures its workloads without.
    """
    if not profiler.takes_turns:
        return None
    try:
        with profiling_errors("load"), ExitStack() as opened:
            sentinel = Sentinel(opened.enter_context(profiler.open(sentinel_workload(precision))), usual_s)
            stack.enter_context(opened.pop_all())
            return sentinel
    except ProfilingError:
        return None


def main() -> None:
    """Serve the process that started this one."""
    answer_requests(serve)


if __name__ == "__main__":
    main()
