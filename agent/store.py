"""The ONNX files of a run on the device, by the digests of what is in them."""

import hashlib
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Optional, Set

from agent.work_folder import FULL

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")

_ENDING = ".onnx"

_CHUNK_BYTES = 1 << 18

Read = Callable[[int], bytes]
"""Reads at most so many bytes, and at least one."""


class ModelStore:
    """A folder of ONNX files, each whole or not there.

    Args:
        folder: where they lie; it is made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, digest: str) -> Path:
        """Where the file of that digest lies, or would.

        Raises:
            ValueError: this is no digest.
        """
        if not _DIGEST.match(digest):
            raise ValueError(f"{digest!r} is no SHA-256")
        return self._folder / (digest + _ENDING)

    def lacks(self, digests: Iterable[str]) -> List[str]:
        """Those of the digests of which there is no file."""
        return [digest for digest in digests if not self.path(digest).exists()]

    def use(self, digest: str) -> Path:
        """The path of a file that is about to be measured, which is the last that is dropped for want of room."""
        path = self.path(digest)
        with suppress(OSError):
            os.utime(path)
        return path

    def put(self, digest: str, size_bytes: int, read: Read) -> Optional[Dict[str, Any]]:
        """Take a file in.

        Args:
            digest: what its bytes must have.
            size_bytes: how many there are.
            read: gives them; is asked for all of them, also when there is no room for them.

        Returns:
            What is wrong, as ``failed`` of ``agent.protocol``; None when the file is there.
        """
        left = _Counted(size_bytes, read)
        unfinished = self.path(digest).with_suffix(f".{os.getpid()}")
        try:
            failed = self._take(digest, unfinished, left)
        finally:
            with suppress(OSError):
                unfinished.unlink()
            left.skip()
        return None if failed is None else dict(failed, free_bytes=self.free_bytes())

    def _take(self, digest: str, unfinished: Path, source: "_Counted") -> Optional[Dict[str, Any]]:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            seen = _write(unfinished, source)
            if seen != digest:
                return {"kind": "digest", "words": f"the bytes that came have the digest {seen}, not {digest}"}
            unfinished.replace(self.path(digest))
            return None
        except OSError as error:
            kind = "disk full" if error.errno in FULL else "folder"
            return {"kind": kind, "words": f"{self._folder}: {error.strerror}"}

    def free_bytes(self) -> int:
        """What this user can still write where the files lie."""
        found = os.statvfs(str(self._folder.parent))
        return found.f_bavail * found.f_frsize

    def drop(self, size_bytes: int, keep: Set[str]) -> List[str]:
        """Remove the files that were used longest ago until there is room, and folders that a killed runtime left.

        Args:
            size_bytes: room that is wanted.
            keep: digests of files that stay.

        Returns:
            The digests of those that were removed.
        """
        dropped: List[str] = []
        for folder in filter(Path.is_dir, self._found("*")):
            shutil.rmtree(str(folder), ignore_errors=True)
        for path in sorted(self._found("*" + _ENDING), key=lambda path: path.stat().st_mtime):
            if self.free_bytes() >= size_bytes:
                break
            if path.stem not in keep:
                path.unlink()
                dropped.append(path.stem)
        return dropped

    def _found(self, pattern: str) -> List[Path]:
        return list(self._folder.glob(pattern))


class _Counted:
    """The bytes of one file on their way in, of which none may be left when the next request is read."""

    def __init__(self, left_bytes: int, read: Read) -> None:
        self._left_bytes = left_bytes
        self._read = read

    def read(self) -> bytes:
        if not self._left_bytes:
            return b""
        part = self._read(min(self._left_bytes, _CHUNK_BYTES))
        self._left_bytes -= len(part)
        return part

    def skip(self) -> None:
        while self.read():
            pass


def _write(path: Path, source: _Counted) -> str:
    """Write a file so that it is there after a power cut, too; returns the digest of what came."""
    hashed = hashlib.sha256()
    with path.open("wb") as file:
        part = source.read()
        while part:
            hashed.update(part)
            file.write(part)
            part = source.read()
        file.flush()
        os.fsync(file.fileno())
    return hashed.hexdigest()
