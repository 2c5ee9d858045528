"""Every Python block of the README and the documentation runs.

The blocks of one file share one namespace and run in order in an empty folder, so that a page is read as one session.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = [p for p in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if p.exists()]
WITH_CODE = [p for p in PAGES if BLOCK.search(p.read_text(encoding="utf-8"))]
# Pages of measurements fit and simulate a lot.
QUICK = ("README.md", "audit.md", "contracts.md", "recipe.md", "whatif.md")


@pytest.mark.parametrize(
    "page", [pytest.param(p, id=p.name, marks=[] if p.name in QUICK else [pytest.mark.full]) for p in WITH_CODE]
)
def test_code_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    text = page.read_text(encoding="utf-8")
    namespace: dict[str, object] = {"__name__": "__main__"}
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start(1))
        code = "\n" * line + block[1]  # so that an error names the line of the page
        exec(compile(code, str(page), "exec"), namespace)


def test_the_finder_finds() -> None:
    assert BLOCK.findall("a\n```python\nx = 1\n```\n```sh\nls\n```\n```python\ny = x\n```\n") == ["x = 1\n", "y = x\n"]
    assert WITH_CODE, "no page with Python in it was found"
