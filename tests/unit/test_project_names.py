"""The public names: one version, lazy imports, a stub that mirrors them."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import perolas

PACKAGE = Path(perolas.__file__).parent
SLOW = {"jax", "equinox", "xarray", "pandas", "pint", "matplotlib", "plotly", "numpyro", "scipy"}


def loaded_after(code: str, folder: Path) -> set[str]:
    """The top-level modules that are loaded in a fresh interpreter after `code`."""
    tail = "\nimport json, sys\nprint()\nprint(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code + tail], capture_output=True, text=True, cwd=folder, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_one_version() -> None:
    assert perolas.__version__ == version("perolas")
    assert "__version__" in (PACKAGE / "_version.py").read_text(encoding="utf-8")


def test_import_is_light(tmp_path: Path) -> None:
    assert not loaded_after("import perolas", tmp_path) & (SLOW | {"numpy"})


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["fit", "--help"], ["formats"]], ids=" ".join)
def test_help_is_light(arguments: list[str], tmp_path: Path) -> None:
    code = (
        f"import sys; sys.argv = ['perolas', *{arguments!r}]\n"
        "from perolas.cli import main\n"
        "try:\n    code = main()\nexcept SystemExit as end:\n    code = end.code\n"
        "assert not code, code"
    )
    assert not loaded_after(code, tmp_path) & {"jax", "equinox", "numpyro", "matplotlib", "plotly"}


@pytest.mark.parametrize("first", ["", "import jax\n"], ids=["perolas first", "jax first"])
def test_float64_by_default(first: str, tmp_path: Path) -> None:
    code = f"{first}import perolas, jax.numpy as jnp\nassert jnp.ones(1).dtype == 'float64'"
    assert "jax" in loaded_after(code, tmp_path)


@pytest.mark.parametrize("name", perolas.__all__)
def test_public_name_resolves(name: str) -> None:
    assert getattr(perolas, name) is not None
    assert name in dir(perolas)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        perolas.nonsense


def test_stub_mirrors_the_table() -> None:
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    imports = {
        alias.name: f"{node.module}:{alias.name}"
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    listed = next(ast.literal_eval(n.value) for n in tree.body if isinstance(n, ast.Assign))
    assert sorted(listed) == sorted(perolas.__all__)
    assert imports == {**perolas._WHERE, "__version__": "perolas._version:__version__"}
    assert (PACKAGE / "py.typed").exists()
