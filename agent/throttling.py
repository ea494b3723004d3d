"""What slows a Linux machine down against its user's will: heat, too little current, a supply that is too weak.

Some machines count it (Intel's processors, the over-current monitor of a Jetson), others say only what holds at the
moment (cooling devices of the kernel, the firmware of a Raspberry Pi).
"""

import re
from functools import lru_cache
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from agent.files import number, numbers, text

MOST_ASKED = 16
"""Of more processors than this, so many are asked, evenly spread: a file takes up to 10 us, and a state must stay below
a millisecond on a server of 256 processors too. Heat concerns neighbours together."""

_SLOWING = re.compile(r"processor|cpu|gpu|devfreq|powerclamp|throttl", re.IGNORECASE)
"""Cooling devices that cool by slowing something down; the others are fans, and alerts about a hot case."""

_RASPBERRY_THROTTLED = "sys/devices/platform/soc*/soc*firmware/get_throttled"

_RASPBERRY_REASONS = ("under-voltage", "capped clock", "throttled", "soft temperature limit")
"""Bits 0 to 3 of what the firmware says; bits 16 to 19 say the same of the time since boot (``vcgencmd`` manual)."""

_RASPBERRY_SUPPLY = "rpi_volt"
"""Driver of a Raspberry Pi's supply. A Raspberry Pi 5 has no other file that tells: its alarm is about the last two
seconds, and that it is off says nothing of heat."""


def spread(found: List[Path]) -> List[Path]:
    """At most ``MOST_ASKED`` of them, from all over."""
    return found[:: -(-len(found) // MOST_ASKED) or 1]


def throttle_count(root: str = "/") -> Optional[int]:
    """Throttling events since boot, of the processors that are asked; None where the machine does not count them.

    Args:
        root: root of the file system to read.
    """
    counts = numbers(_counters(root))
    return int(sum(counts)) if counts else None


def throttle_reasons(root: str = "/") -> Optional[str]:
    """What holds the clock down at this moment, separated by commas; empty for nothing, None where nobody tells.

    Args:
        root: root of the file system to read.
    """
    told = [raspberry_reasons(root, 0), _supply_alarm(root), _active_cooling(root)]
    known = [reasons for reasons in told if reasons is not None]
    return ", ".join(filter(None, known)) if known else None


def throttled_since_boot(root: str = "/") -> Optional[str]:
    """What a Raspberry Pi's firmware saw since boot, separated by commas; None on other machines."""
    return raspberry_reasons(root, 16)


def raspberry_reasons(root: str, first_bit: int) -> Optional[str]:
    """The reasons of four bits of what a Raspberry Pi's firmware says; None on other machines."""
    file = _raspberry_file(root)
    found = None if file is None else text(file)
    try:
        bits = None if found is None else int(found, 16) >> first_bit
    except ValueError:
        return None
    if bits is None:
        return None
    return ", ".join(reason for bit, reason in enumerate(_RASPBERRY_REASONS) if bits >> bit & 1)


def slowing_devices(root: str = "/") -> Dict[str, str]:
    """What the cooling devices are that cool by slowing something down, by their folders."""
    folders = sorted(Path(root, "sys/class/thermal").glob("cooling_device*"))
    named = {str(folder): text(folder / "type") or "" for folder in folders}
    return {folder: name for folder, name in named.items() if _SLOWING.search(name)}


class Throttles:
    """A count that grows when something slows the machine down; see ``throttle_events``.

    Args:
        root: root of the file system to read.

    Attributes:
        tells: whether the machine tells anything, or the count is 0 for ever.
    """

    def __init__(self, root: str = "/") -> None:
        self._root = root
        self._counters = _counters(root)
        self._found = 0
        self.tells = bool(self._counters) or throttle_reasons(root) is not None or _supply_file(root) is not None

    def count(self) -> int:
        """The count, higher than before when something slows the machine down, or did since it was last asked."""
        self._found += bool(throttle_reasons(self._root))
        return self._found + int(sum(numbers(self._counters)))


def throttle_events(root: str = "/") -> int:
    """A count that grows when something slows the machine down, read in some ten microseconds.

    To be read before and after a sample: where it grew, the sample is no good. What the machine counts itself is taken
    as it is; of what it only says at the moment, each time that it says so counts.

    Args:
        root: root of the file system to read.

    Returns:
        The count; 0 for ever where the machine tells nothing.
    """
    return _throttles(root).count()


@lru_cache(maxsize=None)
def _throttles(root: str) -> Throttles:
    return Throttles(root)


@lru_cache(maxsize=None)
def _counters(root: str) -> Tuple[str, ...]:
    """Files that count: of each processor, and of a Jetson's over-current monitor.

    The latter (``soctherm_oc`` of JetPack 5 and later) counts under-voltage, average and instantaneous over-current,
    each of which throttles in hardware (Jetson Linux Developer Guide, "Over-Current Throttling").
    """
    processors = sorted(Path(root, "sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle/core_throttle_count"))
    over_current = sorted(Path(root, "sys/class/hwmon").glob("hwmon*/oc*_event_cnt"))
    return tuple(map(str, [*spread(processors), *over_current]))


@lru_cache(maxsize=None)
def _cooling(root: str) -> Tuple[Tuple[str, str], ...]:
    """Name and file of what cools by slowing down; none where the processors count their throttling themselves.

    A server has such a device for each of its processors, and they would be read for nothing.
    """
    if any("core_throttle_count" in file for file in _counters(root)):
        return ()
    return tuple((name, folder + "/cur_state") for folder, name in slowing_devices(root).items())


def _active_cooling(root: str) -> Optional[str]:
    devices = _cooling(root)
    if not devices:
        return None
    return ", ".join(sorted({name for name, file in devices if (number(file) or 0) > 0}))


@lru_cache(maxsize=None)
def _raspberry_file(root: str) -> Optional[str]:
    return next(map(str, sorted(Path(root).glob(_RASPBERRY_THROTTLED))), None)


@lru_cache(maxsize=None)
def _supply_file(root: str) -> Optional[str]:
    """The alarm of a Raspberry Pi's supply, where the firmware's own word cannot be read."""
    folders = [] if _raspberry_file(root) else sorted(Path(root, "sys/class/hwmon").glob("hwmon*"))
    found = (folder for folder in folders if text(folder / "name") == _RASPBERRY_SUPPLY)
    return next((f"{folder}/in0_lcrit_alarm" for folder in found), None)


def _supply_alarm(root: str) -> Optional[str]:
    file = _supply_file(root)
    return _RASPBERRY_REASONS[0] if file is not None and number(file) == 1 else None
