"""The process that measures on the device: ``python3 -m agent.worker``, asked by the agent.

It reads one JSON object a line from standard input and answers each with one line on what was standard output when
it began. Whatever a runtime prints goes to standard error instead.

1. ``{"runtime": NAME, "threads": N, "options": {...}}`` is answered by ``{"opened": {...}}``, as ``agent.protocol`` has
   it, or ``{"missing": {"reason", "remedy"}}``.
2. ``{"model": {"path", "precision", "inputs": [{"name", "shape", "type"}]}, "plan": {...}, "sentinel": null | {"model",
   "usual_s": SECONDS | null}}`` is answered by ``{"burst": {...}, "usual_s": SECONDS | null, "ends": true | false}`` or
   ``{"failure": {"stage", "reason"}, "ends": true | false}``, as often as one is asked for.

It ends when standard input does; after an answer that says so; and at once, whatever it is doing, when nobody can read
its answers any more.
"""

import json
from contextlib import ExitStack
from functools import partial
from types import SimpleNamespace
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional

from agent.answers import Answer, answer_requests
from agent.gpu import GpuUnavailable
from agent.jetson import is_jetson
from agent.loop import PROCESS, ProfilingError, TimedRun, burst_json, profiling_errors, take_burst, utc_now
from agent.runtimes import RUNTIMES, Model, Runtime, Unavailable
from agent.runtimes.energy import costs_with_energy
from agent.runtimes.gpu_sensors import gpu_disturbances, root
from agent.sentinel import Sentinel
from agent.throttling import throttle_events
from agent.timed_device import read_timed_device, state_reader
from agent.watch import Watch

_MOST_REASON_CHARACTERS = 500
"""What a failure keeps of an error's words; runtimes print whole graphs."""


def serve(requests: Iterator[str], answer: Answer) -> None:
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
        runtime = open_runtime(first["runtime"], first["threads"], first["options"])
        opened = _introduction(runtime)
        bench = _Bench(runtime)
    except Unavailable as error:
        answer({"missing": error.missing._asdict()})
        return
    answer({"opened": opened})
    with bench:
        for request in map(json.loads, requests):
            answered = bench.measure(request)
            answer(answered)
            if answered["ends"]:
                return


def open_runtime(name: str, threads: int, options: Mapping[str, str]) -> Runtime:
    """The runtime of that name, ready to measure.

    Raises:
        Unavailable: there is no such runtime on this device, or no such option.
    """
    if name not in RUNTIMES:
        raise Unavailable(f"the agent has no runtime {name!r}", f"Those it has: {', '.join(sorted(RUNTIMES))}.")
    construct: Callable[..., Runtime] = RUNTIMES[name]
    return construct(threads, options)


def _introduction(runtime: Runtime) -> Dict[str, Any]:
    return {
        "device": _gpu_asked(read_timed_device, runtime.accelerator),
        "versions": runtime.versions(),
        "options": runtime.recorded_options(),
        "patience_s": runtime.patience_s,
        "takes_turns": runtime.takes_turns,
        "graph_precisions": runtime.graph_precisions(),
    }


def _gpu_asked(ask: Callable[[str, str], Any], accelerator: str) -> Any:
    try:
        return ask(accelerator, root())
    except GpuUnavailable as error:
        raise Unavailable(error.reason.rstrip("."), error.remedy) from error


class _Bench(ExitStack):
    """Takes bursts with one runtime. Sentinels stay loaded until it is left."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__()
        self._runtime = runtime
        self._read_state = _gpu_asked(state_reader, runtime.accelerator)
        of_board = runtime.accelerator == "cpu" or is_jetson(root())
        self._throttles = partial(throttle_events, root()) if of_board else gpu_disturbances()
        self._sentinels: Dict[str, Optional[Sentinel]] = {}

    def measure(self, request: Mapping[str, Any]) -> Dict[str, Any]:
        """The answer to one request."""
        model, plan = Model.from_json(request["model"]), SimpleNamespace(**request["plan"])
        sentinel = self._sentinel(request["sentinel"])
        try:
            with profiling_errors("run"), ExitStack() as stack:
                with profiling_errors("load"):
                    run = self._metered(stack.enter_context(self._runtime.open(model)))
                taken = take_burst(run, plan, self._state, self._disturbances, sentinel)
        except ProfilingError as error:
            return self._failed(error)
        usual_s = None if sentinel is None else sentinel.usual_s
        return {"burst": burst_json(taken, utc_now(), PROCESS), "usual_s": usual_s, "ends": False}

    def _metered(self, run: TimedRun) -> TimedRun:
        """A run whose costs have its energy, on a board that tells its power."""
        if not self._runtime.takes_turns or not is_jetson(root()):
            return run
        timed: List[float] = []

        def timing(calls: int) -> float:
            took_s = run(calls)
            timed[:] = [took_s / calls]
            return took_s

        return TimedRun(timing, lambda: costs_with_energy(run, timed[-1], Watch(root())))

    def _failed(self, error: ProfilingError) -> Dict[str, Any]:
        reason = " ".join(str(error).split())[:_MOST_REASON_CHARACTERS] or "no reason given"
        # After an error on a GPU, CUDA answers only with that; a program that failed there takes its own CUDA with it.
        spent = self._runtime.accelerator == "cuda" and self._runtime.takes_turns and error.stage in ("load", "run")
        return {"failure": {"stage": error.stage, "reason": reason}, "ends": spent}

    def _state(self) -> Dict[str, Any]:
        state: Dict[str, Any] = self._read_state()
        return state

    def _disturbances(self) -> int:
        return self._runtime.disturbances() + self._throttles()

    def _sentinel(self, asked: Optional[Mapping[str, Any]]) -> Optional[Sentinel]:
        """A sentinel that stays loaded; None where none is asked for, or the runtime has none.

        A runtime that cannot run it, whatever it raises, measures its models without.
        """
        if asked is None or not self._runtime.takes_turns:
            return None
        model = Model.from_json(asked["model"])
        if model.path not in self._sentinels:
            self._sentinels[model.path] = self._opened_sentinel(model, asked["usual_s"])
        return self._sentinels[model.path]

    def _opened_sentinel(self, model: Model, usual_s: Optional[float]) -> Optional[Sentinel]:
        try:
            with profiling_errors("load"), ExitStack() as opened:
                sentinel = Sentinel(opened.enter_context(self._runtime.open(model)), usual_s)
                self.push(opened.pop_all())
                return sentinel
        except ProfilingError:
            return None


def main() -> None:
    """Serve the process that started this one."""
    answer_requests(serve)


if __name__ == "__main__":
    main()
