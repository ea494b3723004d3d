"""Who may import what: the rooms in a row, their roots only, and nothing heavy before it is needed.

import-linter holds the order (``[tool.importlinter]`` in pyproject.toml, run by ``make lint``). Here its contracts
are tried on planted violations, and what it cannot say is read from the syntax trees or tried in a fresh Python. The
packages are held to their roots twice, because the contracts do not see benchmarks/.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("search", "lut", "latency", "devices")
PACKAGES = ("paceline", *ROOMS, "agent")
HEAVY = ("onnxruntime", "tensorrt", "torch")
OPTIONAL = (
    "asyncssh",
    "jinja2",
    "matplotlib",
    "onnxruntime",
    "openvino",
    "pycuda",
    "pynvml",
    "ray",
    "tensorrt",
    "tensorrt_rtx",
)


def imports(path: Path, root: Path) -> Iterator[tuple[int, str, str]]:
    """Every import of a file as (line, module, name); the name is empty for ``import module``."""
    package = path.relative_to(root).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*above, *filter(None, [node.module])))
            yield from ((node.lineno, module, alias.name) for alias in node.names)


def exported(init: Path) -> set[str]:
    """The names a room's root offers, from its ``__all__``."""
    for node in ast.parse(init.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            return set(ast.literal_eval(node.value))
    return set()


def reached_inside(root: Path) -> list[str]:
    """Imports that reach past the root of a room they do not belong to."""
    found = []
    offered = {room: exported(root / room / "__init__.py") for room in ROOMS}
    # Not the tests: a unit test looks at the inside of what it tests.
    for path in sorted(file for top in (*PACKAGES, "benchmarks") for file in (root / top).rglob("*.py")):
        home = path.relative_to(root).parts[0]
        for line, module, name in imports(path, root):
            room, _, inside = module.partition(".")
            if room not in ROOMS or room == home:
                continue
            is_module = (root / room / f"{name}.py").is_file() or (root / room / name / "__init__.py").is_file()
            if inside or (name and is_module and name not in offered[room]):
                found.append(f"{path.relative_to(root)}:{line} imports {module} {name}".rstrip())
    return found


def python(code: str, folder: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """The six packages with one module each, and the contracts of the repository."""
    for package in (*PACKAGES, "search/strategies"):
        write(tmp_path / package / "__init__.py", "")
        write(tmp_path / package / "inside.py", "VALUE = 1\n")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint_imports(house: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    environment = {**os.environ, "PYTHONPATH": str(house), "COLUMNS": "200"}
    return subprocess.run(command, cwd=house, env=environment, capture_output=True, text=True, check=False)


def test_no_import_reaches_inside_a_room_from_outside() -> None:
    found = reached_inside(ROOT)
    assert not found, "import from the room's root, and add the name to its __all__:\n" + "\n".join(found)


@pytest.mark.parametrize("line", ["from lut.inside import VALUE", "import lut.inside", "from lut import inside"])
def test_a_reach_inside_a_room_is_found(house: Path, line: str) -> None:
    write(house / "search/strategies/grid.py", f"{line}\n")
    assert [text.split(" ")[0] for text in reached_inside(house)] == ["search/strategies/grid.py:1"]


def test_what_a_root_exports_may_bear_the_name_of_a_module(house: Path) -> None:
    write(house / "lut/__init__.py", 'from lut.inside import inside\n\n__all__ = ["inside"]\n')
    write(house / "search/grid.py", "from lut import inside\n")
    assert reached_inside(house) == []


def test_the_contracts_hold_in_a_clean_house(house: Path) -> None:
    done = lint_imports(house)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("devices/clock.py", "from latency import VALUE", "A package imports only from packages to its right"),
        ("latency/model.py", "import search", "A package imports only from packages to its right"),
        ("lut/table.py", "import paceline", "A package imports only from packages to its right"),
        ("search/strategies/grid.py", "import lut", "Strategies see numbers: no tables, no devices"),
        ("search/strategies/grid.py", "import devices", "Strategies see numbers: no tables, no devices"),
        ("devices/clock.py", "import torch", "devices imports no framework"),
        ("devices/clock.py", "import numpy", "devices imports no framework"),
        ("agent/loop.py", "import devices", "A package imports only from packages to its right"),
        ("agent/loop.py", "import torch", "The agent needs nothing but Python"),
        ("devices/clock.py", "import onnxruntime", "devices imports no framework"),
        ("paceline/page.py", "from devices.inside import VALUE", "The inside of devices is its own"),
        ("lut/table.py", "from latency.inside import VALUE", "The inside of latency is its own"),
        ("search/cost.py", "from lut import inside", "The inside of lut is its own"),
        ("paceline/page.py", "import search.strategies.inside", "The inside of search is its own"),
    ],
)
def test_a_planted_violation_breaks_its_contract(house: Path, module: str, line: str, contract: str) -> None:
    write(house / module, f"{line}\n")
    done = lint_imports(house)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{contract} BROKEN" in done.stdout


def test_devices_needs_only_the_standard_library_and_what_reaches_a_device() -> None:
    files = sorted((ROOT / "devices").rglob("*.py"))
    names = {module.split(".")[0] for path in files for _, module, _ in imports(path, ROOT)}
    assert names - sys.stdlib_module_names - {"agent", "devices"} == {"asyncssh", "tomlkit"}


@pytest.mark.parametrize("room", ROOMS)
def test_the_root_of_a_room_loads_nothing_heavy(room: str, tmp_path: Path) -> None:
    find = f"import sys; sys.path.insert(0, {str(ROOT)!r})"
    assert python(f"{find}; import {room}; print(*sorted(set({HEAVY!r}) & set(sys.modules)))", tmp_path) == ""


def test_all_but_the_report_can_be_imported_without_the_optional_libraries(tmp_path: Path) -> None:
    """A command whose extra is missing still shows up in ``--help`` and can say what to install."""
    files = [path.relative_to(ROOT).with_suffix("") for top in PACKAGES for path in sorted((ROOT / top).rglob("*.py"))]
    names = [".".join(path.parts).removesuffix(".__init__") for path in files if path.name != "__main__"]
    modules = [name for name in names if not name.startswith("paceline.report")]
    assert modules
    hide = f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.modules.update(dict.fromkeys({OPTIONAL!r}))"
    python(f"{hide}\nimport importlib\nfor name in {modules!r}: importlib.import_module(name)", tmp_path)
