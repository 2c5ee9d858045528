"""The page: whole, safe whatever the data say, the same bytes each time."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import report_samples as samples

from perolas.report import page


class Parsed(HTMLParser):
    """Every tag with its attributes, scripts apart, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[str | None, str]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append((dict(attrs).get("type"), ""))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script" and self.cdata_elem == "script":
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
        elif self.cdata_elem is None:
            self.text += data


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("run")
    run = samples.full_run(out)
    page.write(run, out, figures=True)
    return out, run


def test_everything_is_there(whole: tuple[Path, dict[str, Any]]) -> None:
    out, run = whole
    html = (out / "report.html").read_text(encoding="utf-8")
    parsed = Parsed(html)
    for verdict in ("reproduced", "differs", "contradictory", "uninformative", "undetermined", "not covered"):
        assert verdict in parsed.text
    for claim in run["claims"]:
        assert claim["id"] in parsed.text
    for item in run["items"]:
        assert item["name"] in parsed.text
    assert 'The file "sample3.dat" holds no numbers after line 14.' in parsed.text
    assert "9f2c4e61d0b7a35c8e1f94d6a2705bb3c4419e77a60d218f5b3392ce8d11f07a" in parsed.text
    assert "perolas.fit(decay" in parsed.text
    assert "1 differs" in parsed.text
    assert html.index('id="claims"') < html.index('id="pb4f"')
    assert sum(kind == "application/json" for kind, _ in parsed.scripts) == 3
    assert sorted(p.name for p in (out / "figures").iterdir()) == [
        "decay-of-sample-2.png",
        "pb4f.png",
        "raman_fresh.png",
    ]
    ids = [a["id"] for _, a in parsed.tags if "id" in a]
    assert len(ids) == len(set(ids))
    targets = {a["href"][1:] for t, a in parsed.tags if t == "a" and (a.get("href") or "").startswith("#")}  # type: ignore[index]
    assert targets <= set(ids)
    assert (out / "report.html").stat().st_size < 6_000_000


def test_nothing_is_fetched(whole: tuple[Path, dict[str, Any]]) -> None:
    html = (whole[0] / "report.html").read_text(encoding="utf-8")
    parsed = Parsed(html)
    for tag, attrs in parsed.tags:
        assert "src" not in attrs
        assert tag not in {"iframe", "object", "embed", "base", "form"}
        if tag != "a":
            assert not (attrs.get("href") or "").startswith(("http:", "https:", "//"))
        assert not [a for a in attrs if a.startswith("on")]
    assert not re.search(r"@import|url\(", page._asset("style.css"))
    assert "http" not in page._asset("page.js")
    policy = next(
        a["content"] for t, a in parsed.tags if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    run_scripts = [s for kind, s in parsed.scripts if kind is None]
    assert len(run_scripts) == 2
    for script in run_scripts:  # the policy lets exactly these run
        assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy


def test_same_bytes_each_time(whole: tuple[Path, dict[str, Any]]) -> None:
    out, run = whole
    first = (out / "report.html").read_bytes()
    (out / ".report.json").unlink(missing_ok=True)  # or what stands already would be taken
    page.write(json.loads(json.dumps(run)), out)
    assert (out / "report.html").read_bytes() == first
    assert not list(out.glob(".*.part"))


EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)><!-- ' \" & $ {{ 7*7 }}"


def poison(value: Any) -> Any:
    """Put markup into every text of a run that may come from data."""
    if isinstance(value, dict):
        return {(k if k in KEYS or kept(k) else k + EVIL): (v if kept(k) else poison(v)) for k, v in value.items()}
    if isinstance(value, list):
        return [poison(v) for v in value]
    return value + EVIL if isinstance(value, str) else value


KEYS = set(
    re.findall(
        r"\w+",
        """study items claims versions warnings estimate provenance quantities fixed extra evidence answer references
        parameters_used notes undetermined at_bound code error sha256 file title authors id text sentence unit quantity
        role verdict definition undetermined_sentence result message source name author journal value std starts""",
    )
)


def kept(key: str) -> bool:
    return key in {"dataset", "kind", "technique", "status", "doi"}


def test_markup_in_data_stays_text(tmp_path: Path) -> None:
    run = poison(samples.full_run(tmp_path))
    made = samples.raman()
    made = made.rename({"component_line_1": "component_" + EVIL.replace("/", "|")})
    made["signal"].attrs["units"] = EVIL
    made.to_netcdf(tmp_path / "data" / "raman.nc", engine="h5netcdf")
    html = page.write(run, tmp_path, figures=True).read_text(encoding="utf-8")
    parsed = Parsed(html)
    assert not [t for t, _ in parsed.tags if t == "img"]
    assert len([k for k, _ in parsed.scripts if k is None]) == 2
    for kind, script in parsed.scripts:
        if kind:
            assert "<" not in script
            labels = json.dumps([t.get("name") for t in json.loads(script)["data"]])
            assert "<" not in labels  # plotly reads some HTML in labels
    assert "alert(1)" in parsed.text
    assert "{{ 7*7 }}" in parsed.text


@pytest.mark.parametrize(
    "run",
    [
        {},
        {"study": None, "items": None, "claims": None, "versions": None, "warnings": None},
        {"items": [{}], "claims": [{}], "study": {}},
        {"items": [{"name": "a", "estimate": {"quantities": {"x": {}, "y": None}}, "dataset": "no.nc"}]},
        {"items": [{"name": "a"}, {"name": "a"}], "claims": [{"id": "a", "quantity": "a.x"}, {"id": "a"}]},
        {"items": [{"name": "a", "estimate": {"batch": [{"quantities": {"x": {"value": 1.0, "std": None}}}, {}]}}]},
        {"items": [{"estimate": {"extra": {"a": {"b": {"c": [1, {"d": None}]}}, "e": [], "f": "words", "g": [1, 2]}}}]},
        {
            "claims": [
                {
                    "value": float("nan"),
                    "answer": {"value": float("inf"), "std": None},
                    "sigma": float("nan"),
                    "verdict": "new",
                }
            ]
        },
        {
            "claims": [
                {
                    "value": [1, 2],
                    "tolerance": "10 %",
                    "answer": {"value": "B before A"},
                    "sigma": None,
                    "verdict": "differs",
                }
            ]
        },
        {
            "claims": [
                {
                    "value": 0,
                    "tolerance": 0,
                    "answer": {"value": 0, "std": 0},
                    "verdict": "reproduced",
                    "role": "prediction",
                }
            ]
        },
    ],
)
def test_missing_keys(run: dict[str, Any], tmp_path: Path) -> None:
    parsed = Parsed(page.write(run, tmp_path).read_text(encoding="utf-8"))
    assert "nan" not in parsed.text.lower().split()
    assert "None" not in parsed.text
    assert len(parsed.scripts) == 1  # without a plot, plotly stays out


def test_data_outside_the_run_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    samples.lead().to_netcdf(tmp_path / "lead.nc", engine="h5netcdf")
    run = {"items": [{"name": "a", "dataset": "../lead.nc"}, {"name": "b", "dataset": "broken.nc"}]}
    (tmp_path / "run" / "broken.nc").write_bytes(b"not a file of numbers")
    text = Parsed(page.write(run, tmp_path / "run").read_text(encoding="utf-8")).text
    assert "lies outside the run" in text
    assert "broken.nc could not be read" in text


def test_a_failed_prediction_is_said_first(whole: tuple[Path, dict[str, Any]]) -> None:
    text = Parsed((whole[0] / "report.html").read_text(encoding="utf-8")).text
    assert "Of 4 predictions, 1 holds and 1 fails; 2 cannot be judged." in text


def test_import_is_light() -> None:
    code = (
        "import sys, perolas.report.page, perolas.report.plots, perolas.report.figures;"
        "print([m for m in ('jax', 'plotly', 'matplotlib', 'jinja2', 'xarray') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
