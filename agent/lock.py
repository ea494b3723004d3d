"""One run at a time on a device, whoever's it is: a file on which the agent that measures has a lock.

Times that were taken beside another measurement are those of neither, and the second one's sentinel would learn that
the machine is slow. The lock ends with the process that has it, however that ends.
"""

import fcntl
import json
import os
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Dict, Optional

from agent.work_folder import FolderError, folder_errors

_NAME = "paceline-device.lock"

_STEP_S = 0.1

_MOST_BYTES = 4096
_MOST_CHARACTERS = 80

_RACES = 20
"""How often the file may come or go between looking for it and opening it."""


def lock_file(base: Optional[str]) -> Path:
    """The file of this device.

    Args:
        base: the folder that a run names for its files. Without one it is /tmp, where all users look, also those
            that have a folder of their own for temporary files. Runs that name different folders do not see each other.
    """
    return Path("/tmp" if base is None else base, _NAME)  # noqa: S108 - it is opened with care


class DeviceLock:
    """The right to measure on this device.

    Args:
        path: the file, as ``lock_file`` gives it. It is made when it is not there, for all users.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: Optional[int] = None

    def take(self, holder: Dict[str, Any], wait_s: float, gives_up: Callable[[], bool] = lambda: False) -> str:
        """Take the right, or wait for it.

        Args:
            holder: what others are told of the one that has it: ``user``, ``run``, ``pid``, ``from``.
            wait_s: how long to wait.
            gives_up: asked while waiting; waiting ends when it says so.

        Returns:
            Who has it, in words; empty when it was taken.

        Raises:
            FolderError: the file cannot be opened, or is none.
        """
        until_s = time.monotonic() + wait_s
        while not self._try():
            if time.monotonic() >= until_s or gives_up():
                return self._holder()
            time.sleep(_STEP_S)
        # By the clock since boot: the other one is set while a device without a battery runs.
        self._note(dict(holder, since_s=time.monotonic()))
        return ""

    def release(self) -> None:
        """Give it back. The file goes, too, where it is this user's."""
        if self._handle is not None:
            self._note({})
            with suppress(OSError):  # Another user's file in a folder like /tmp stays.
                self._path.unlink()
            os.close(self._handle)
            self._handle = None

    def tidy(self) -> None:
        """Remove the file if nobody has the right: one that was killed left it there."""
        if os.path.lexists(self._path):
            with suppress(FolderError):
                if self._try():
                    self.release()

    def _try(self) -> bool:
        for _ in range(_RACES):
            handle = _opened(self._path)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(handle)
                return False
            if os.fstat(handle).st_nlink:
                self._handle = handle
                return True
            os.close(handle)  # The one before has removed it, and others lock another one by now.
        return False

    def _note(self, holder: Dict[str, Any]) -> None:
        assert self._handle is not None
        with suppress(OSError):  # On a full disk nobody learns who has it; they still learn that somebody has.
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, json.dumps(holder).encode(), 0)

    def _holder(self) -> str:
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                holder = json.loads(os.read(handle, _MOST_BYTES).decode(errors="replace"))
            finally:
                os.close(handle)
        except (OSError, ValueError):
            holder = None
        return _words(holder if isinstance(holder, dict) else {})


def _opened(path: Path) -> int:
    with folder_errors(path):
        for _ in range(_RACES):
            # Not with O_CREAT: another user's file in a folder like /tmp is then refused (fs.protected_regular).
            with suppress(FileNotFoundError):
                return _regular(os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK), path)
            with suppress(FileExistsError):
                return _made(path)
    raise FolderError("folder", f"{path} comes and goes faster than it can be opened")


def _made(path: Path) -> int:
    mask = os.umask(0)  # And not chmod afterwards: another user may open it in between.
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
    finally:
        os.umask(mask)


def _regular(handle: int, path: Path) -> int:
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)
    raise FolderError("folder", f"{path} must be a file, and is something else")


def _words(holder: Dict[str, Any]) -> str:
    """Who has the right, for the screen. Any user can write to the file, so nothing in it is taken on trust."""
    user, run, pid, origin = (_shown(holder.get(name, "unknown")) for name in ("user", "run", "pid", "from"))
    since_s = holder.get("since_s")
    now_s, duration = time.monotonic(), ""
    if isinstance(since_s, (int, float)) and 0 <= since_s <= now_s:
        duration = f" for {_duration(now_s - since_s)}"
    return f"{user} has it{duration}: run {run}, process {pid}, from {origin}"


def _shown(value: object) -> str:
    return "".join(letter for letter in str(value)[:_MOST_CHARACTERS] if letter.isprintable())


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
