"""What a device is and has, told by a process of its own: ``python3 -m agent.inventory``."""

from typing import Any, Callable, Dict, Iterator, Optional

from agent.answers import answer_requests
from agent.gpu import GpuUnavailable
from agent.linux import read_device, read_state
from agent.linux_health import read_health
from agent.runtimes import RUNTIMES
from agent.runtimes.gpu_sensors import root
from agent.timed_device import read_timed_device, state_reader


def take_inventory(top: str) -> Dict[str, Any]:
    """The machine, its GPU, and what could measure on it.

    Args:
        top: root of the file system to read.

    Returns:
        The answer to ``state`` of ``agent.protocol``.
    """
    return {
        "device": read_device(top),
        "state": read_state(top),
        "gpu": _gpu(top),
        "health": read_health(top),
        "runtimes": {name: _missing(runtime) for name, runtime in RUNTIMES.items()},
    }


def _gpu(top: str) -> Optional[Dict[str, Any]]:
    try:
        return {"device": read_timed_device("cuda", top), "state": state_reader("cuda", top)()}
    except GpuUnavailable:
        return None


def _missing(runtime: Any) -> Optional[Dict[str, str]]:
    missing = runtime.missing()
    return None if missing is None else {"reason": missing.reason, "remedy": missing.remedy}


def serve(requests: Iterator[str], answer: Callable[[Dict[str, Any]], None]) -> None:
    """Take an inventory for each line.

    Args:
        requests: lines; what they say does not matter.
        answer: sends one answer.
    """
    for _ in requests:
        answer(take_inventory(root()))


if __name__ == "__main__":
    answer_requests(serve)
