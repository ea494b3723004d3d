"""The house numbers: what no linter measures, read from the syntax trees of the six packages.

Types, docstrings and unused code are the business of mypy and ruff (``make lint``). Each check here is a function
from source to findings, tried on a planted violation before it is asked about the packages.
"""

from __future__ import annotations

import ast
import re
import statistics
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import packages_distributions, requires
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("agent", "devices", "latency", "lut", "paceline", "search")

MEDIAN_FUNCTION_LINES = 12
LONG_FUNCTION_LINES = 42  # nine in ten are no longer
MODULE_LINES = 450
TESTED_FROM_LINES = 25
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "manager", "core", "misc", "common"}
UNSAFE_MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
MAY_PRINT = ("paceline/command_line.py", "paceline/commands/", "paceline/screen.py")

# "module:function" -> why everything must be caught there.
BROAD_EXCEPT: Mapping[str, str] = {
    "agent/loop.py:profiling_errors": "a runtime's errors, whose types nobody knows, become a Failure here",
}

# Modules without a test file of their own -> where they are tested instead.
TESTED_ELSEWHERE: Mapping[str, str] = {}

Modules = Mapping[PurePosixPath, str]


def modules_under(root: Path) -> Modules:
    files = sorted(path for top in PACKAGES for path in (root / top).rglob("*.py"))
    return {PurePosixPath(path.relative_to(root).as_posix()): path.read_text(encoding="utf-8") for path in files}


def functions(tree: ast.AST, within: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function with its qualified name, nested ones too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{within}.{node.name}".lstrip(".")
            if not isinstance(node, ast.ClassDef):
                yield name, node
            yield from functions(node, name)
        else:
            yield from functions(node, within)


def function_lines(modules: Modules) -> dict[str, int]:
    """Lines from ``def`` to the last statement, docstring and all."""
    return {
        f"{path}:{name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path, source in modules.items()
        for name, node in functions(ast.parse(source))
    }


def is_broad(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or ast.unparse(kind) in {"Exception", "BaseException"} for kind in caught)


def broad_excepts(modules: Modules) -> set[str]:
    found = set()
    for path, source in modules.items():
        tree = ast.parse(source)
        broad = {node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler) and is_broad(node)}
        # Outer functions come first, so the innermost one is the name that stays.
        owner = {inner: name for name, node in functions(tree) for inner in ast.walk(node) if inner in broad}
        found |= {f"{path}:{owner.get(node, '<module>')}" for node in broad}
    return found


def prints(modules: Modules) -> list[str]:
    return [
        f"{path}:{node.lineno}"
        for path, source in modules.items()
        if not str(path).startswith(MAY_PRINT)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
    ]


def is_unsafe(node: ast.AST) -> bool:
    """Whether a node reads or writes pickles, by name or through a library that does."""
    if isinstance(node, ast.Import):
        return any(alias.name.split(".")[0] in UNSAFE_MODULES for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        names = {f"{node.module}.{alias.name}" for alias in node.names}
        return (node.module or "").split(".")[0] in UNSAFE_MODULES or bool(names & {"torch.load", "torch.save"})
    if isinstance(node, ast.Attribute):
        return ast.unparse(node) in {"torch.load", "torch.save"}
    if isinstance(node, ast.keyword):
        return node.arg == "allow_pickle" and ast.unparse(node.value) != "False"
    return False


def pickles(modules: Modules) -> list[str]:
    return [
        f"{path}:{getattr(node, 'lineno', 0)}"
        for path, source in modules.items()
        for node in ast.walk(ast.parse(source))
        if is_unsafe(node)
    ]


def dependencies() -> set[str]:
    """The names under which what paceline may install is imported."""
    wanted = {re.split(r"[^\w.-]", text, maxsplit=1)[0].lower() for text in requires("paceline") or ()}
    here = {top for top, owners in packages_distributions().items() if wanted & {owner.lower() for owner in owners}}
    return {top.lower() for top in here} | {name.replace("-", "_") for name in wanted}


def taken_names(modules: Modules, taken: Iterable[str]) -> list[str]:
    """Modules and sub-packages named like something else; the six packages have the names they were given."""
    shadowed = set(taken)
    parts = {path: path.parent.name if path.stem == "__init__" else path.stem for path in modules}
    return [str(path) for path, name in parts.items() if name in shadowed and not name.startswith("__")]


def untested(modules: Modules, tests: Iterable[str]) -> set[str]:
    """Modules long enough to need a test file of their own name that have none; a root only lists names."""
    names = set(tests)
    return {
        str(path)
        for path, source in modules.items()
        if path.stem != "__init__" and len(source.splitlines()) >= TESTED_FROM_LINES
        if f"test_{path.stem}.py" not in names
    }


@pytest.fixture(scope="module")
def house() -> Modules:
    return modules_under(ROOT)


def planted(source: str, name: str = "lut/planted.py") -> Modules:
    return {PurePosixPath(name): source}


def test_half_of_the_functions_are_short(house: Modules) -> None:
    lines = function_lines(house)
    assert statistics.median(lines.values()) <= MEDIAN_FUNCTION_LINES, f"of {len(lines)} functions"


def test_nine_in_ten_functions_are_not_long(house: Modules) -> None:
    lines = function_lines(house)
    long = sorted((count, name) for name, count in lines.items() if count > LONG_FUNCTION_LINES)
    assert len(long) <= len(lines) / 10, long


def test_the_length_of_a_function_is_counted_with_its_docstring_and_without_its_decorators() -> None:
    source = '@final\n@cached\ndef outer():\n    """Says.\n\n    More.\n    """\n    def inner(): ...\n'
    assert function_lines(planted(source)) == {"lut/planted.py:outer": 6, "lut/planted.py:outer.inner": 1}


def test_no_broad_except_without_a_reason(house: Modules) -> None:
    found = broad_excepts(house)
    assert all(BROAD_EXCEPT.values())
    new, gone = sorted(found - BROAD_EXCEPT.keys()), sorted(BROAD_EXCEPT.keys() - found)
    assert not new, f"name the errors, or add the function to BROAD_EXCEPT with its reason: {new}"
    assert not gone, f"no longer broad, take them off BROAD_EXCEPT: {gone}"


@pytest.mark.parametrize("caught", ["", " Exception", " BaseException as error", " (ValueError, Exception)"])
def test_a_broad_except_is_found(caught: str) -> None:
    source = f"class A:\n  def run(self):\n    try:\n      pass\n    except{caught}:\n      pass\n"
    assert broad_excepts(planted(source)) == {"lut/planted.py:A.run"}


def test_a_named_except_is_fine() -> None:
    assert broad_excepts(planted("try:\n    pass\nexcept (OSError, ValueError):\n    pass\n")) == set()


def test_only_the_command_line_prints(house: Modules) -> None:
    assert prints(house) == [], "return what is to be said, or raise it; the command line prints"


def test_a_print_is_found() -> None:
    assert prints(planted("console.print(1)\nprint(2)\n")) == ["lut/planted.py:2"]
    assert prints(planted("print(2)\n", "paceline/commands/table.py")) == []


def test_no_pickle_is_read_or_written(house: Modules) -> None:
    assert pickles(house) == [], "a pickle runs code when it is read: use JSON, safetensors or npz without objects"


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from pickle import loads",
        "import joblib",
        "torch.load(path)",
        "torch.save(state, path)",
        "from torch import load",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=flag)",
    ],
)
def test_a_pickle_is_found(line: str) -> None:
    assert pickles(planted(line)) == ["lut/planted.py:1"]


def test_a_load_without_pickle_is_fine() -> None:
    assert pickles(planted("np.load(path, allow_pickle=False)\nsafetensors.torch.load(data)\n")) == []


def test_no_module_is_named_like_the_standard_library_or_a_dependency(house: Modules) -> None:
    assert taken_names(house, sys.stdlib_module_names | dependencies()) == []


def test_the_dependencies_are_known_by_the_names_they_are_imported_by() -> None:
    assert {"numpy", "onnx", "onnxruntime", "pil", "scipy", "tensorrt", "tensorrt_rtx", "torch"} <= dependencies()


def test_a_taken_name_is_found() -> None:
    assert taken_names(planted("", "lut/statistics.py"), ["statistics"]) == ["lut/statistics.py"]
    assert taken_names(planted("", "search/ray/__init__.py"), ["ray"]) == ["search/ray/__init__.py"]


def test_no_module_has_a_name_that_says_nothing(house: Modules) -> None:
    assert taken_names(house, VAGUE_NAMES) == [], "name it after what is in it"


def test_every_module_has_a_test_of_its_name(house: Modules) -> None:
    missing = untested(house, [path.name for path in (ROOT / "tests").rglob("test_*.py")])
    assert all(TESTED_ELSEWHERE.values())
    new, gone = sorted(missing - TESTED_ELSEWHERE.keys()), sorted(TESTED_ELSEWHERE.keys() - missing)
    assert not new, f"add tests/.../test_MODULE.py, or say in TESTED_ELSEWHERE where they are tested: {new}"
    assert not gone, f"tested by name or gone, take them off TESTED_ELSEWHERE: {gone}"


def test_an_untested_module_is_found() -> None:
    modules = {**planted("\n" * 25), **planted("\n" * 24, "lut/short.py"), **planted("\n" * 99, "lut/__init__.py")}
    assert untested(modules, ["test_other.py"]) == {"lut/planted.py"}
    assert untested(modules, ["test_planted.py"]) == set()


def test_no_module_is_too_long_to_read_in_one_go(house: Modules) -> None:
    lines = {str(path): len(source.splitlines()) for path, source in house.items()}
    assert {path: count for path, count in lines.items() if count > MODULE_LINES} == {}


def test_every_file_may_be_read_as_python_3_11(house: Modules) -> None:
    for path, source in house.items():
        ast.parse(source, str(path), feature_version=(3, 11))
