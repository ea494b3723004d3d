"""What goes to a device before it is asked anything: the agent as a zip file, and the line that unpacks it there."""

from __future__ import annotations

import io
import zipfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import agent

AGENT = Path(agent.__file__).parent
"""Where the agent's source lies on this machine."""

_FIRST_DAY = (1980, 1, 1, 0, 0, 0)
"""The earliest that a zip file can say; the same source gives the same bytes."""

_REFUSAL = '{"refused": {"kind": "python", "words": "the agent needs Python 3.6 or later, and this one is %d.%d"}}\n'

# Python 2 reads it, too. The current folder is no place for modules: there may be a file of the name of one.
_GUARD = """\
import sys
sys.path[:] = [path for path in sys.path if path]
if sys.version_info < (3, 6):
    sys.stdout.write({refusal} % sys.version_info[:2])
else:
    exec({source})
"""


@cache
def bootstrap_line() -> bytes:
    """The program that ``agent.protocol.COMMAND`` reads and runs: one line of ASCII."""
    source = (AGENT / "bootstrap.py").read_text(encoding="utf-8")
    return ascii(_GUARD.format(refusal=ascii(_REFUSAL), source=ascii(source))).encode() + b"\n"


@cache
def agent_bundle() -> bytes:
    """The agent, and NVIDIA's bindings of its driver where this machine has them as a single file of Python."""
    found = find_spec("pynvml")
    bindings = [Path(found.origin)] if found and found.origin and Path(found.origin).name == "pynvml.py" else []
    return bundle_of(AGENT, bindings)


def bundle_of(package: Path, modules: list[Path]) -> bytes:
    """A zip file of a package named ``agent``, and of modules beside it.

    Args:
        package: its folder.
        modules: files that are imported by their names.
    """
    files = {f"agent/{file.relative_to(package).as_posix()}": file for file in package.rglob("*.py")}
    files |= {module.name: module for module in modules}
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        for name, file in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _FIRST_DAY)
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)
    return zipped.getvalue()
