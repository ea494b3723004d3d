"""The first thing that runs on a device: unpacks this package there and becomes the agent.

Its source comes as the first line of standard input, see ``agent.protocol``. Nothing of this package is on the device
yet, so it imports nothing of it; ``agent.work_folder`` is run out of the bundle, before that is unpacked.
"""

import hashlib
import io
import json
import os
import sys
import tempfile
import types
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, Dict


def main() -> None:
    """Read the header and the bundle from standard input, and become the agent, or say why not."""
    # Without a buffer: what is not read here is for the agent. Standard input must stay open when this is forgotten.
    requests: Any = io.FileIO(0, closefd=False)
    header = json.loads(requests.readline().decode())
    bundle = _read(requests, header["bundle"])
    if len(bundle) < header["bundle"]:
        return  # The connection was cut, and nothing was made yet.
    archive = zipfile.ZipFile(io.BytesIO(bundle))
    folders: Any = types.ModuleType("folders")
    exec(archive.read("agent/work_folder.py"), folders.__dict__)  # noqa: S102 - it is part of this program
    # Python 3.6 in the C locale would not write other letters than ASCII; these are the bytes that were meant.
    base = None if header["base"] is None else os.fsdecode(header["base"].encode())
    try:
        with folders.folder_errors(Path(base or "/tmp")):  # noqa: S108 - only named; no place at all is a full disk
            above = Path(base or tempfile.gettempdir()).resolve()
        folder, handle = folders.adopt(above, header["run"])
        try:
            with folders.folder_errors(folder):
                code = _unpack(archive, folder, hashlib.sha256(bundle).hexdigest()[:16])
        except folders.FolderError:
            folders.discard(folder, handle)
            raise
    except folders.FolderError as error:
        sys.stdout.write(json.dumps({"refused": {"kind": error.kind, "words": str(error)}}) + "\n")
        return
    os.set_inheritable(handle, True)
    _become_agent(code, dict(header, base=base and str(above), folder=str(folder), handle=handle))


def _read(stream: BinaryIO, size_bytes: int) -> bytes:
    parts = []
    while size_bytes:
        part = stream.read(min(size_bytes, 1 << 16))
        if not part:
            break
        parts.append(part)
        size_bytes -= len(part)
    return b"".join(parts)


def _unpack(archive: zipfile.ZipFile, folder: Path, digest: str) -> Path:
    """Unpack the bundle unless an earlier agent of this run did: the disk may be full by now."""
    code = folder / f"code-{digest}"
    if not code.is_dir():
        unfinished = Path(tempfile.mkdtemp(prefix="code-", dir=str(folder)))
        archive.extractall(str(unfinished))
        unfinished.rename(code)
    return code


def _become_agent(code: Path, settings: Dict[str, Any]) -> None:
    os.chdir(code)
    paths = [
        str(code),
        *filter(None, [os.environ.get("PYTHONPATH")]),
    ]  # With PYTHONSAFEPATH the current folder is no path.
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    python = sys.executable or "/proc/self/exe"
    os.execv(python, [python, "-m", "agent", json.dumps(settings)])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
