"""What NVIDIA's ``tegrastats`` prints on a Jetson, one line for each interval.

Lines of Nano, TX1, TX2, Xavier and Orin differ in which fields they have, in whether a power has a unit, and in whether
the GPU has one clock or one for each part of it; without root some have no clocks. What a line does not have is None.
"""

import re
import subprocess
from typing import IO, Dict, List, NamedTuple, Optional

from agent.jetson import find_program, summed_rails

_RAIL = re.compile(r"(?<!\S)([A-Za-z]\w*) (\d+)(?:mW(?:/\d+mW)?|/\d+)(?!\S)")
"""``POM_5V_GPU 0/0``, ``VDD_GPU_SOC 2400mW/2400mW`` or ``VDD_GPU_SOC 2171mW``: now, and the mean since the start, in
milliwatts. ``RAM 721/31927MB`` is none of them."""

_SENSOR = re.compile(r"(?<!\S)([A-Za-z][\w-]*)@(-?\d+(?:\.\d+)?)C(?!\S)")

_NO_SENSOR = re.compile("PMIC")
"""Says 100 (or 50) degrees, whatever the supply does."""

_NO_TEMPERATURE_C = -200.0
"""A sensor in a part that is switched off says -256."""

_GPU_CLOCK = re.compile(r"\bGR3D(?:_FREQ)? \d+%@\[?(\d+)")
_MEMORY_CLOCK = re.compile(r"\bEMC(?:_FREQ)? \d+%@(\d+)")
_PROCESSOR_CLOCKS = re.compile(r"\bCPU \[([^\]]*)\](?:@(\d+))?")

_PATIENCE_S = 2.0
"""A program that was told to end has ended by then, or is killed."""


class Reading(NamedTuple):
    """One line.

    Attributes:
        rails_w: power of each rail.
        power_w: power of the board, as ``agent.jetson.power_w`` has it.
        temperatures_c: of each sensor.
        clocks_mhz: of each processor that is on.
        gpu_clock_mhz: of the GPU; of its first part where it has several.
        memory_clock_mhz: of the memory.
    """

    rails_w: Dict[str, float]
    power_w: Optional[float]
    temperatures_c: Dict[str, float]
    clocks_mhz: List[float]
    gpu_clock_mhz: Optional[float]
    memory_clock_mhz: Optional[float]


def parse_line(line: str) -> Reading:
    """Read one line of any generation; what is none has nothing in it."""
    rails_w = {name: int(now_mw) / 1e3 for name, now_mw in _RAIL.findall(line)}
    sensors = {name: float(degrees) for name, degrees in _SENSOR.findall(line)}
    return Reading(
        rails_w=rails_w,
        power_w=sum(rails_w[name] for name in summed_rails(rails_w)) if rails_w else None,
        temperatures_c={
            name: degrees
            for name, degrees in sensors.items()
            if degrees > _NO_TEMPERATURE_C and not _NO_SENSOR.match(name)
        },
        clocks_mhz=_processor_clocks(line),
        gpu_clock_mhz=_clock(_GPU_CLOCK, line),
        memory_clock_mhz=_clock(_MEMORY_CLOCK, line),
    )


class Tegrastats:
    """The program, running beside a measurement.

    Args:
        interval_ms: milliseconds from one line to the next.

    Raises:
        OSError: it is not here, or cannot be started.
    """

    def __init__(self, interval_ms: int = 50) -> None:
        program = find_program("tegrastats")
        if program is None:
            raise FileNotFoundError("tegrastats is neither on the PATH nor in /usr/bin")
        self._process = subprocess.Popen(
            [program, "--interval", str(interval_ms)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def read(self) -> Optional[Reading]:
        """Wait for the next line; None when the program has ended."""
        line = self._lines().readline()
        return parse_line(line.decode("utf-8", "replace")) if line else None

    def end(self) -> None:
        """End the program; who waits for a line gets None."""
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """Forget the program, once it has ended and nobody waits for a line."""
        self._lines().close()

    def _lines(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout


def has_tegrastats() -> bool:
    """Whether the program is here."""
    return find_program("tegrastats") is not None


def _processor_clocks(line: str) -> List[float]:
    """``[12%@1479,off]`` each with its own, or ``[12%,off]@1479`` all with the same (TX1 and before)."""
    found = _PROCESSOR_CLOCKS.search(line)
    if found is None:
        return []
    own = re.findall(r"%@(\d+)", found.group(1))
    return [float(clock) for clock in own or ([found.group(2)] if found.group(2) else [])]


def _clock(pattern: "re.Pattern[str]", line: str) -> Optional[float]:
    found = pattern.search(line)
    return None if found is None else float(found.group(1))
