"""The wheel, not the tree: what is built, what is in it, and whether it runs where the repository is not."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("agent", "devices", "latency", "lut", "paceline", "search")
HEAVY = ("onnxruntime", "tensorrt", "torch")
CPU_INDEX = "https://download.pytorch.org/whl/cpu"


def call(command: Sequence[str | Path], folder: Path) -> str:
    """Runs a command as a stranger would: in another folder, with nothing of this repository on the path."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{list(map(str, command))} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def source_files() -> list[PurePosixPath]:
    """What a clone would hold: the files git tracks or would track, or all of the tree where git gives no answer."""
    git = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        listed = [path.relative_to(ROOT).as_posix() for top in PACKAGES for path in (ROOT / top).rglob("*")]
        listed += ["LICENSE", "README.md", "pyproject.toml", "setup.py"]
    present = {PurePosixPath(name) for name in listed if name and (ROOT / name).is_file()}
    return sorted(path for path in present if "__pycache__" not in path.parts)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("a clone")
    for path in source_files():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, copy / path)
    call([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", copy / "dist"], copy)
    (built,) = (copy / "dist").iterdir()
    return built


@pytest.fixture(scope="module")
def shipped(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of programs of a fresh environment that holds the wheel and what it asks for."""
    if os.environ.get("PACELINE_OFFLINE"):
        pytest.skip("PACELINE_OFFLINE is set: installing the wheel with its dependencies needs a package index")
    folder = tmp_path_factory.mktemp("environment")
    call([sys.executable, "-m", "venv", folder], folder)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    # Compiling every module of torch would take longer than the tests that follow.
    pip: list[str | Path] = [programs / "python", "-m", "pip", "install", "--quiet", "--no-compile", "--timeout", "60"]
    if sys.platform == "darwin":
        call([*pip, wheel], folder)
    else:
        # The CPU build even beside a GPU: what is asked is whether the wheel installs, not how fast it runs.
        pip += ["--constraint", ROOT / "constraints-cpu.txt"]
        try:
            call([*pip, wheel], folder)
        except AssertionError:
            call([*pip, "--extra-index-url", CPU_INDEX, wheel], folder)
    yield programs
    shutil.rmtree(folder)  # a gigabyte, which pytest would keep for three runs


def test_the_wheel_holds_the_five_packages_and_nothing_else(shipped: set[str]) -> None:
    tops = {name.split("/")[0] for name in shipped}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)
    assert len(tops) == len(PACKAGES) + 1


def test_every_file_of_the_packages_is_in_the_wheel(shipped: set[str]) -> None:
    expected = {str(path) for path in source_files() if path.parts[0] in PACKAGES}
    missing = sorted(expected - shipped)
    assert not missing, f"add them to PACKAGES or PACKAGE_DATA in setup.py: {missing}"


def test_the_catalogue_the_report_and_the_type_markers_are_in_the_wheel(shipped: set[str]) -> None:
    assert "devices/catalog.toml" in shipped
    assert [name for name in shipped if name.startswith("paceline/report/") and name.endswith(".html")]
    assert {f"{package}/py.typed" for package in PACKAGES} <= shipped


def test_the_metadata_says_what_setup_py_says(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (entry for entry in archive.namelist() if entry.endswith(".dist-info/METADATA"))
        lines = archive.read(name).decode().splitlines()
    assert "Name: paceline" in lines
    assert "License-Expression: Apache-2.0" in lines
    assert "Requires-Python: >=3.11" in lines
    extras = {line.removeprefix("Provides-Extra: ") for line in lines if line.startswith("Provides-Extra: ")}
    engines = {"ort", "ort-gpu", "tensorrt", "tensorrt-rtx", "cuda", "pycuda", "openvino"}
    others = {"parquet", "ssh", "ray", "report", "optuna", "tensorboard", "dev"}
    assert extras == engines | others, "an `all` extra would put ort and ort-gpu together"


def test_only_the_extras_bring_a_runtime(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (entry for entry in archive.namelist() if entry.endswith(".dist-info/METADATA"))
        lines = archive.read(name).decode().splitlines()
    base = [line for line in lines if line.startswith("Requires-Dist: ") and "extra ==" not in line]
    assert base
    assert not [line for line in base if "onnxruntime" in line or "tensorrt" in line]


def test_pyproject_has_no_project_table() -> None:
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    assert "[project]" not in lines, "setuptools would read it and ignore setup.py"


def test_setup_py_lists_every_folder_that_is_a_package() -> None:
    tree = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    (listed,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "PACKAGES"
    )
    found = {path.parent.relative_to(ROOT) for top in PACKAGES for path in (ROOT / top).rglob("__init__.py")}
    assert sorted(listed) == sorted(".".join(path.parts) for path in found)


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize("package", PACKAGES)
def test_an_installed_package_is_imported_from_the_environment(installed: Path, tmp_path: Path, package: str) -> None:
    output = call([installed / "python", "-I", "-c", f"import {package}; print({package}.__file__)"], tmp_path)
    assert Path(output.strip()).is_relative_to(installed.parent)


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize("program", ["paceline", "profile-device"])
def test_an_installed_program_explains_itself(installed: Path, tmp_path: Path, program: str) -> None:
    assert "Usage" in call([installed / program, "--help"], tmp_path)


@pytest.mark.slow
@pytest.mark.network
def test_an_installed_search_room_loads_nothing_heavy(installed: Path, tmp_path: Path) -> None:
    code = f"import search, sys; print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    assert call([installed / "python", "-I", "-c", code], tmp_path).strip() == "[]"
