"""What a Jetson tells of itself: release, power mode, clocks that are held, and the power it draws.

Written for JetPack 4 to 6 from NVIDIA's developer guides and from files and outputs that people published. None of it
was tried on a board. Power on an AGX Xavier and an AGX Orin is the sum of their rails, which leaves out the carrier
board; the other modules measure their whole input.
"""

import re
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from agent.files import number, text

_RELEASE = "etc/nv_tegra_release"
_COMPATIBLE = "proc/device-tree/compatible"

_CONF_BYTES = 1 << 16
"""More than any Jetson's list of power modes."""

_PROGRAM_LIMIT_S = 10.0
"""No program asked here takes a second; one that waits for an answer is not waited for."""

_GPU = re.compile(r"\.(?:gm20b|gp10b|gv11b|ga10b|gpu)$|^gpu-gpc-\d+$")
"""Names of a Jetson's GPU among the devices that scale their clock: ``57000000.gpu`` (Nano), ``17000000.gp10b`` (TX2),
``17000000.gv11b`` (Xavier), ``17000000.ga10b`` or ``17000000.gpu`` (Orin), ``gpu-gpc-0`` (Thor)."""

_MEMORY_CLOCKS = ("sys/kernel/debug/bpmp/debug/clk/emc/rate", "sys/kernel/debug/clk/emc/clk_rate")
"""Both are for root alone."""

_WHOLE_INPUT = ("VIN", "VDD_IN", "POM_5V_IN")
"""Rails that feed all the others (Thor; TX1, TX2, Xavier NX, Orin NX, Orin Nano; Nano)."""

_PART_OF_ANOTHER = ("NC", "VDDQ_VDD2_1V8AO")
"""Not connected, and the memory of an AGX Orin, which is fed from the rail ``VIN_SYS_5V0``."""


@lru_cache(maxsize=None)
def is_jetson(root: str = "/") -> bool:
    """Whether the machine below ``root`` is one of NVIDIA's Jetson boards."""
    return Path(root, _RELEASE).exists() or "nvidia,tegra" in (text(f"{root}/{_COMPATIBLE}") or "")


def read_release(root: str = "/") -> Dict[str, str]:
    """Which Jetson it is, and which release of its system it runs.

    Args:
        root: root of the file system to read.

    Returns:
        ``l4t`` (``35.2.1``), ``soc`` (``tegra194`` of a Xavier) and ``model``, those that are told.
    """
    release = re.search(r"# R(\d+) \(release\), REVISION: ([\d.]+)", text(f"{root}/{_RELEASE}") or "")
    soc = re.search(r"nvidia,(tegra\d+)", text(f"{root}/{_COMPATIBLE}") or "")
    found = {
        "l4t": release and "{}.{}".format(*release.groups()),
        "soc": soc and soc.group(1),
        "model": text(f"{root}/proc/device-tree/model"),
    }
    return {name: value for name, value in found.items() if value}


def read_state(root: str = "/") -> Dict[str, Any]:
    """The fields of ``devices.DeviceState`` that only a Jetson has, those that are told.

    The chips that measure power are read over a slow bus, some tenths of a millisecond for each rail.

    Args:
        root: root of the file system to read.
    """
    files = _clock_files(root)
    gpu_hz = None if files.gpu is None else number(files.gpu + "/cur_freq")
    memory_hz = None if files.memory is None else number(files.memory)
    state = {
        "gpu_clock_mhz": None if gpu_hz is None else gpu_hz / 1e6,
        "memory_clock_mhz": None if memory_hz is None else memory_hz / 1e6,
        "clocks_held": clocks_held(root),
        "power_w": power_w(root),
    }
    return {name: value for name, value in state.items() if value is not None}


def power_mode(root: str = "/") -> Optional[str]:
    """Name of the power mode, ``mode 3`` where only its number is known; None where there are none.

    Args:
        root: root of the file system to read.
    """
    status = re.search(r"pmode:(\d+)", text(f"{root}/var/lib/nvpmodel/status") or "")
    if status is None:
        return _queried_mode() if is_jetson(root) else None
    mode = str(int(status.group(1)))
    return power_modes(root).get(mode, "mode " + mode)


@lru_cache(maxsize=None)
def power_modes(root: str = "/") -> Mapping[str, str]:
    """Names of the power modes by their numbers; empty where there are none.

    Args:
        root: root of the file system to read.
    """
    conf = text(f"{root}/etc/nvpmodel.conf", _CONF_BYTES)
    if conf is None:
        return parse_nvpmodel_modes(_output("nvpmodel", "-p", "--verbose") or "") if is_jetson(root) else {}
    return dict(re.findall(r"^\s*<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=([\w.-]+)", conf, re.MULTILINE))


def parse_nvpmodel_query(output: str) -> Optional[str]:
    """Name of the power mode from what ``nvpmodel -q`` prints: ``NV Power Mode: MODE_15W``, the number below it."""
    found = re.search(r"NV Power Mode:\s*(\S+)", output)
    return None if found is None else found.group(1)


def parse_nvpmodel_modes(output: str) -> Dict[str, str]:
    """Names of the power modes by their numbers, from what ``nvpmodel -p --verbose`` prints."""
    return dict(re.findall(r"POWER_MODEL: ID=(\d+) NAME=(\S+)", output))


def clocks_held(root: str = "/") -> Optional[bool]:
    """Whether the clocks of processors and GPU have one value to choose from, which is what ``jetson_clocks`` does.

    Args:
        root: root of the file system to read.

    Returns:
        None where the clock of the GPU cannot be asked.
    """
    files = _clock_files(root)
    if files.gpu is None:
        return _shown_clocks_held() if is_jetson(root) else None
    pairs = [(files.gpu + "/min_freq", files.gpu + "/max_freq")]
    pairs += [(folder + "/scaling_min_freq", folder + "/scaling_max_freq") for folder in files.processors]
    bounds = [(number(low), number(high)) for low, high in pairs]
    return None if None in bounds[0] else all(low == high for low, high in bounds)


def parse_jetson_clocks(output: str) -> Optional[bool]:
    """Whether the clocks are held, from what ``jetson_clocks --show`` prints; None where it shows no clocks."""
    shown = re.findall(r"^(?:GPU|cpu\d+: Online=1).*?MinFreq=(\d+) MaxFreq=(\d+)", output, re.MULTILINE)
    return all(low == high for low, high in shown) if shown else None


class Rail(NamedTuple):
    """A supply whose power is measured: the product of the numbers in its files, in watts after scaling."""

    name: str
    files: Tuple[str, ...]
    scale: float

    def power_w(self) -> Optional[float]:
        """What it draws now; None where it cannot be read."""
        power = self.scale
        for file in self.files:
            factor = number(file)
            if factor is None:
                return None
            power *= factor
        return power


def power_w(root: str = "/") -> Optional[float]:
    """Power that the board draws now, or its modules where nothing measures its input; None where nothing tells.

    Args:
        root: root of the file system to read.
    """
    rails = power_rails(root)
    found = [rail.power_w() for rail in rails]
    known = [value for value in found if value is not None]
    return sum(known) if known and len(known) == len(found) else None


@lru_cache(maxsize=None)
def power_rails(root: str = "/") -> Tuple[Rail, ...]:
    """The rails whose sum is the power of the board; none where they cannot be read, and on other boards.

    Args:
        root: root of the file system to read.
    """
    if not is_jetson(root):
        return ()
    found = {rail.name: rail for rail in (*_rails_of_hwmon(root), *_rails_of_iio(root)) if rail.power_w() is not None}
    return tuple(found[name] for name in summed_rails(found))


def summed_rails(names: Mapping[str, Any]) -> List[str]:
    """Those of the rails whose sum is the power of the board: the one that feeds all, or those that feed no other."""
    whole = [name for name in _WHOLE_INPUT if name in names]
    return whole[:1] or [name for name in names if name not in _PART_OF_ANOTHER]


def find_program(name: str) -> Optional[str]:
    """Where a program of the system is, also where the shell of a user does not look for it."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin")


class _ClockFiles(NamedTuple):
    gpu: Optional[str]
    memory: Optional[str]
    processors: Tuple[str, ...]


@lru_cache(maxsize=None)
def _clock_files(root: str) -> _ClockFiles:
    scaling = [*Path(root, "sys/class/devfreq").glob("*"), *Path(root, "sys/devices/gpu.0/devfreq").glob("*")]
    gpus = [str(folder) for folder in sorted(scaling) if _GPU.search(folder.name)] if is_jetson(root) else []
    memory = [f"{root}/{name}" for name in _MEMORY_CLOCKS]
    folders = sorted(map(str, Path(root, "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq")))
    return _ClockFiles(
        gpu=next(iter(gpus), None),
        memory=next((file for file in memory if number(file) is not None), None),
        processors=tuple(folders[:1] + folders[1:][-1:]),
    )


def _rails_of_hwmon(root: str) -> List[Rail]:
    """JetPack 5 and later: voltage in mV, current in mA (kernel's ``ina3221``), or power in uW (``ina238`` of Thor)."""
    rails = []
    for folder in sorted(Path(root, "sys/class/hwmon").glob("hwmon*")):
        chip = text(folder / "name")
        for label in sorted(folder.glob("in[1-3]_label")) if chip in ("ina3221", "ina238") else ():
            channel = label.name[2]
            whole = str(folder / "power1_input")
            halves = (str(folder / f"in{channel}_input"), str(folder / f"curr{channel}_input"))
            rails.append(Rail(text(label) or "", halves if chip == "ina3221" else (whole,), 1e-6))
    return rails


def _rails_of_iio(root: str) -> List[Rail]:
    """JetPack 4 and earlier: power in mW."""
    labels = Path(root, "sys/bus/i2c/drivers/ina3221x").glob("*/iio*device*/rail_name_*")
    powers = [(label, label.parent / f"in_power{label.name[-1]}_input") for label in sorted(labels)]
    return [Rail(text(label) or "", (str(power),), 1e-3) for label, power in powers]


@lru_cache(maxsize=None)
def _queried_mode() -> Optional[str]:
    """Asked once for a process: it takes some ten milliseconds, and nobody changes the mode while we measure."""
    return parse_nvpmodel_query(_output("nvpmodel", "-q") or "")


@lru_cache(maxsize=None)
def _shown_clocks_held() -> Optional[bool]:
    """Most releases show the clocks to root alone."""
    return parse_jetson_clocks(_output("jetson_clocks", "--show") or "")


def _output(name: str, *arguments: str) -> Optional[str]:
    """What a program prints; None where it is not there, fails or does not end."""
    program = find_program(name)
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_PROGRAM_LIMIT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace")
