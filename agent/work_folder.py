"""The work folder of a run: made, adopted, and removed by whoever is the last to need it.

::

    BASE/paceline-UID/          of one user, mode 0700
        lock                    held while a folder below is made or removed
        RUN/                    of one run
            agent               number and start time of the run's agent; held by all that need the folder
            code-DIGEST/        the bundle
            models/  scratch/   ONNX files; what runtimes write

Whoever needs the folder has a shared lock on ``agent``, which ends with the process however that ends. So a folder
that nobody holds was left behind by a reboot or a kill, and the next run removes it.

Uses nothing of this package: the bootstrap runs it before the package is on the device.
"""

import errno
import fcntl
import os
import re
import shutil
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Iterator, Optional, Tuple

_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
"""What a run may be called: its name becomes that of a folder."""

_LOCK = "lock"
_AGENT = "agent"

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a disk that is full says, or a share of it that is used up."""

_TRIES = 3
"""How often a folder is removed in which something is written meanwhile."""


class FolderError(Exception):
    """There can be no work folder here.

    Attributes:
        kind: ``folder`` or ``disk full``, as ``agent.protocol`` has them.
    """

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(words)
        self.kind = kind


@contextmanager
def folder_errors(folder: Path) -> Iterator[None]:
    """Make a FolderError of an OSError within.

    Args:
        folder: where it happens.
    """
    try:
        yield
    except OSError as error:
        full = error.errno in FULL
        raise FolderError("disk full" if full else "folder", f"{folder}: {error.strerror}") from error


def adopt(base: Path, run: str) -> Tuple[Path, int]:
    """Make the work folder of a run, or take it over as an earlier agent of the run left it.

    What this user's earlier runs left behind is removed.

    Args:
        base: folder of the device for temporary files.
        run: name of the run.

    Returns:
        The folder, and a handle of its file ``agent``, which keeps it from being removed as long as it is open.

    Raises:
        FolderError: it cannot be made, or another user could reach into it.
    """
    if not _RUN.match(run):
        raise FolderError("folder", f"{run!r} is no name of a run: letters, digits, dots and dashes, 64 at most")
    with _alone(base) as above:
        for found in above.iterdir():
            if found.name not in (_LOCK, run) and not _is_needed(found):
                _remove(found)
        folder = above / run
        with folder_errors(folder):
            _make_private(folder)
            return folder, _hold(folder)


def _hold(folder: Path) -> int:
    handle = os.open(folder / _AGENT, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    fcntl.flock(handle, fcntl.LOCK_SH)
    return handle


def is_last(handle: int) -> bool:
    """Whether the folder that a handle of ``adopt`` keeps is still there, and nobody else needs it."""
    if not os.fstat(handle).st_nlink:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    fcntl.flock(handle, fcntl.LOCK_SH)
    return True


def discard(folder: Path, handle: Optional[int] = None) -> bool:
    """Remove a work folder, and the one above it when it was the last in there.

    Args:
        folder: which.
        handle: of the one that asks; the folder stays when another one needs it. None removes it in any case.

    Returns:
        Whether it is gone.
    """
    if handle is not None and not os.fstat(handle).st_nlink:
        return not os.path.lexists(folder)  # Another one has removed it. Looking closer would make the lock anew.
    with suppress(FolderError), _alone(folder.parent.parent):
        if handle is None or is_last(handle):
            _remove(folder)
    return not os.path.lexists(folder)


def _is_needed(folder: Path) -> bool:
    try:
        handle = os.open(folder / _AGENT, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return False  # Whoever makes one holds the lock that is held here, and has made this file when it lets go.
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def _remove(path: Path) -> None:
    for _ in range(_TRIES):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()
        if not os.path.lexists(path):
            return


@contextmanager
def _alone(base: Path) -> Iterator[Path]:
    """Be the only one that makes or removes folders of this user; yields the folder they are in."""
    above = base / f"paceline-{os.getuid()}"
    with folder_errors(above):
        lock = _locked(above)
    try:
        yield above
    finally:
        with suppress(OSError):
            if [found.name for found in above.iterdir()] == [_LOCK]:
                (above / _LOCK).unlink()
                above.rmdir()
        os.close(lock)


def _locked(above: Path) -> int:
    """A handle that has the lock in the folder of this user, which is made when it is not there."""
    while True:
        if not above.parent.is_dir():
            raise FolderError("folder", f"{above.parent} is no folder")
        with suppress(FileNotFoundError):  # The last run before this one has just removed the folder.
            _make_private(above)
            lock = os.open(above / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if os.fstat(lock).st_nlink:
                return lock
            os.close(lock)  # It was removed while this process waited for it.


def _make_private(folder: Path) -> None:
    """Make a folder that only this user can enter, or see to it that one that is there is such a folder."""
    with suppress(FileExistsError):
        folder.mkdir(0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise FolderError("folder", f"{folder} is a link or belongs to another user; it must be a folder of this one")
    if stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(0o700)
