"""Rules that hold for every file of the package, read from its source without importing it."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "perolas"
FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8"), str(path)) for path in FILES}

# Which rooms each room may import from, besides itself (DESIGN: imports point one way).
CHAIN = ("core", "matter", "laser", "measurements", "study", "report", "cli")
ALLOWED = {room: set(CHAIN[:place]) for place, room in enumerate(CHAIN)}
ALLOWED["io"] = {"core"}
ALLOWED["app"] = ALLOWED["cli"]
for after_io in ("study", "report", "cli", "app"):
    ALLOWED[after_io] = ALLOWED[after_io] | {"io"}
ALLOWED["cli"] = ALLOWED["cli"] | {"app"}  # a command may start the app
ALLOWED["__main__"] = {"cli"}
FREE = {"_version"}  # anybody may use it


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def room_of(module: str) -> str:
    """The room of "perolas.core.check" is "core"; that of "perolas" itself is ""."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def module_of(path: Path) -> str:
    parts = ["perolas", *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path, tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every module that a file imports, anywhere in it, with the line."""
    package = module_of(path) if path.name == "__init__.py" else module_of(path).rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *filter(None, [base])])
            yield from ((f"{base}.{alias.name}" if base == "perolas" else base, node.lineno) for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in (
            "import_module",
            "__import__",
        ):
            texts = (a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str))
            yield from ((text, node.lineno) for text in texts)


def wrong_way(path: Path, tree: ast.Module) -> list[str]:
    """The imports of a file that point the wrong way."""
    room = room_of(module_of(path)) or path.stem
    if room == "__init__":  # the public names, lazy
        return []
    found = []
    for module, line in imported(path, tree):
        target = room_of(module)
        if module.split(".")[0] != "perolas" or target in {room, *FREE}:
            continue
        if target not in ALLOWED[room]:
            found.append(f"{name_of(path)}:{line} imports {module}")
    return found


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_point_one_way(path: Path) -> None:
    assert not wrong_way(path, TREES[path])


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("core/x.py", "from perolas.matter.specimen import Specimen"),
        ("core/x.py", "def f():\n    from perolas import study"),
        ("matter/x.py", "from ..io import read"),
        ("io/x.py", "import perolas.measurements.trpl"),
        ("study/x.py", "from importlib import import_module\nimport_module('perolas.report.page')"),
        ("report/x.py", "from perolas.cli import main"),
        ("measurements/x.py", "from perolas import fit"),
    ],
)
def test_the_import_rule_can_fail(file: str, code: str) -> None:
    assert wrong_way(PACKAGE / file, ast.parse(code))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_code_from_data(path: Path) -> None:
    """No eval, exec, pickle or unsafe yaml: a file that somebody sends must never run."""
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called == "yaml.load" and any("SafeLoader" in ast.unparse(k.value) for k in node.keywords):
                continue
            assert called not in {"eval", "exec", "compile", "yaml.load", "yaml.unsafe_load", "os.system"}, (
                f"{name_of(path)}:{node.lineno} calls {called}"
            )
            for keyword in node.keywords:
                risky = keyword.arg in {"allow_pickle", "shell"} and not (
                    isinstance(keyword.value, ast.Constant) and keyword.value.value is False
                )
                assert not risky, f"{name_of(path)}:{node.lineno} sets {keyword.arg}"
    modules = {module.split(".")[0] for module, _ in imported(path, TREES[path])}
    assert not modules & {"pickle", "dill", "cloudpickle", "marshal", "shelve"}


def test_no_file_is_long() -> None:
    texts = [p for p in PACKAGE.rglob("*") if p.suffix in {".py", ".pyi", ".html", ".css", ".js"}]
    lengths = {name_of(p): len(p.read_text(encoding="utf-8").splitlines()) for p in texts}
    assert not {name: n for name, n in lengths.items() if n > 600}
    code = sorted(n for name, n in lengths.items() if name.endswith(".py") and not name.endswith("__init__.py"))
    assert code[len(code) // 2] <= 220, "the median file is to stay under about 200 lines"


def undocumented(tree: ast.Module) -> Iterator[str]:
    """Public functions, classes and methods of public classes without a docstring."""

    def look(body: list[ast.stmt], prefix: str) -> Iterator[str]:
        for node in body:
            if isinstance(node, ast.If | ast.Try):
                yield from look(node.body, prefix)
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.name.startswith("_"):
                continue
            decorators = {ast.unparse(d).rpartition(".")[2] for d in node.decorator_list}
            if not ast.get_docstring(node) and not decorators & {"overload", "setter"}:
                yield f"{prefix}{node.name} (line {node.lineno})"
            if isinstance(node, ast.ClassDef):
                yield from look(node.body, f"{prefix}{node.name}.")

    if not ast.get_docstring(tree):
        yield "the module itself"
    yield from look(tree.body, "")


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_public_things_are_documented(path: Path) -> None:
    assert not list(undocumented(TREES[path]))


def test_dependencies_are_declared_and_used() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    def names(lines: list[str]) -> set[str]:
        return {line.split(">")[0].split("[")[0].strip().lower().replace("_", "-") for line in lines}

    required = names(project["dependencies"])
    extras = project["optional-dependencies"]
    optional = names(list(chain.from_iterable(v for k, v in extras.items() if k not in {"test", "docs"})))
    distributions = packages_distributions()
    used: dict[str, str] = {}
    for path in FILES:
        for module, line in imported(path, TREES[path]):
            top = module.split(".")[0]
            if top in sys.stdlib_module_names or top in {"perolas", ""}:
                continue
            candidates = [d.lower().replace("_", "-") for d in distributions.get(top, [top])]
            used.update(dict.fromkeys(candidates, f"{name_of(path)}:{line}"))
            assert set(candidates) & (required | optional), (
                f"{name_of(path)}:{line} imports {top}, which is not declared"
            )
    through_others = {"h5py", "h5netcdf"}  # named to xarray as its engine, and h5py by that
    assert required - set(used) - through_others == set(), "declared in pyproject.toml, but not imported anywhere"
