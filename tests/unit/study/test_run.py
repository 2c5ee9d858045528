"""Running a study: the rest is done when one item fails, and what comes back came out of the store."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import xarray as xr

from perolas.core.errors import InputError
from perolas.study.run import run

Write = Callable[..., Path]


def measurement(name: str, **options: Any) -> str:
    text = "".join(f"{k} = {json.dumps(v)}\n" for k, v in options.items() if k != "mood")
    return f'[[measurement]]\nname = "{name}"\ntechnique = "toy"\nsimulate = true\noptions = {{ mood = "{options.get("mood", "good")}" }}\n{text}'  # noqa: E501


def step(name: str, expression: str, unit: str = "counts") -> str:
    return f'[[step]]\nname = "{name}"\nkind = "arithmetic"\n[step.quantities]\nq = {{ expression = "{expression}", unit = "{unit}" }}\n'  # noqa: E501


def claim(name: str, quantity: str, value: float = 100.0) -> str:
    return f'[[claim]]\nid = "{name}"\ntext = "t"\nvalue = {value}\nunit = "counts"\ntolerance = 10\nquantity = "{quantity}"\n'  # noqa: E501


def files(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and "store" not in p.parts
    }


def test_all_that_is_written(write: Write, toy: ModuleType, tmp_path: Path) -> None:
    study = write(measurement("m") + step("s", "m.twice - 2 * m.mean") + claim("c", "m.mean"))
    seen: list[tuple[str, str, int, int]] = []
    result = run(study, tmp_path / "out", progress=lambda *a: seen.append(a))
    assert [i["status"] for i in result["items"]] == ["done", "done"]
    assert result["items"][1]["quantities"]["q"]["std"] == pytest.approx(0, abs=1e-12)  # the fit's correlation is kept
    assert result["claims"][0]["verdict"] == "reproduced"
    assert result["claims"][0]["role"] == "prediction"
    assert result["warnings"] == ["m: a warning"]
    assert seen[-1] == ("s", "done", 2, 2)
    written = files(tmp_path / "out")
    assert set(written) == {"claims.json", "estimates.json", "lock.json", "data/m.nc", "data/m_observed.nc"}
    assert json.loads(written["claims.json"])["claims"] == result["claims"]
    assert json.loads(written["estimates.json"])["m"]["estimate"]["quantities"]["mean"]["unit"] == "counts"
    with xr.open_dataset(tmp_path / "out" / "data" / "m.nc", engine="h5netcdf") as data:
        assert data["expected"].attrs is not None
        assert data.attrs["technique"] == "toy"
    code = result["items"][0]["code"]
    assert "perolas.simulate('toy', None, seed=" in code
    compile(code, "code", "exec")

    again = run(study, tmp_path / "again")
    assert files(tmp_path / "again") == written
    assert again == result
    assert run(study, tmp_path / "out", fresh=True) == result


def test_a_second_run_takes_everything_from_the_store(
    write: Write, toy: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = write(measurement("m") + step("s", "m.mean"))
    first = run(study, tmp_path / "out")
    monkeypatch.setattr(toy, "fit", None)
    with pytest.raises(TypeError):
        toy.fit()
    monkeypatch.setattr("perolas.study.single.fit_converted", None)
    assert run(study, tmp_path / "out") == first
    failed = run(study, tmp_path / "out", fresh=True)
    assert [i["status"] for i in failed["items"]] == ["failed", "skipped"]


@pytest.mark.parametrize(
    ("mood", "words"), [("error", "The fit found nothing."), ("bug", "ZeroDivisionError"), ("slow", "it ended")]
)
def test_the_rest_is_done(write: Write, toy: ModuleType, tmp_path: Path, mood: str, words: str) -> None:
    study = write(
        measurement("bad", mood=mood)
        + measurement("good")
        + step("after", "bad.mean")
        + step("other", "good.mean")
        + claim("c", "bad.mean")
        + claim("d", "after.q")
        + claim("e", "other.q")
    )
    result = run(study, tmp_path / "out")
    by_name = {i["name"]: i for i in result["items"]}
    assert [by_name[n]["status"] for n in ("bad", "good", "after", "other")] == ["failed", "done", "skipped", "done"]
    assert words in by_name["bad"]["error"]
    assert '"bad", which failed' in by_name["after"]["error"]
    assert [c["verdict"] for c in result["claims"]] == ["undetermined", "undetermined", "reproduced"]
    assert run(study, tmp_path / "out") == result


def test_a_quantity_that_the_fit_did_not_give(write: Write, toy: ModuleType, tmp_path: Path) -> None:
    result = run(write(measurement("m") + claim("c", "m.tau_9")), tmp_path / "out")
    assert result["claims"][0]["verdict"] == "undetermined"
    assert "there are: mean, twice" in result["claims"][0]["sentence"]


def test_a_measurement_as_an_option(write: Write, toy: ModuleType, tmp_path: Path) -> None:
    text = measurement("a") + measurement("b").replace('mood = "good"', 'other = { measurement = "a" }')
    result = run(write(text), tmp_path / "out")
    assert [i["status"] for i in result["items"]] == ["done", "done"]
    assert result["items"][1]["needs"] == ["a"]
    with pytest.raises(InputError, match='no measurement "z"'):
        run(write(text.replace('measurement = "a"', 'measurement = "z"')), tmp_path / "out")


def real(path: str) -> str:
    return f'[[measurement]]\nname = "m"\ntechnique = "toy"\nfile = {json.dumps(path)}\n'


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    root.mkdir()
    rows = "\n".join(f"{i}\t{100 + i % 3}" for i in range(60))
    (root / "decay.txt").write_text(rows)
    (tmp_path / "secret.txt").write_text(rows)
    return root


def test_a_real_file(
    write: Write, toy: ModuleType, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(write(real("decay.txt")), tmp_path / "out", data=data)
    assert result["items"][0]["status"] == "done", result["items"][0]["error"]
    assert result["items"][0]["provenance"]["sha256"]
    key = result["items"][0]["provenance"]["hash"]
    (data / "decay.txt").write_text((data / "decay.txt").read_text().replace("102", "103"))
    monkeypatch.setenv("PEROLAS_DATA", str(data))
    assert run(write(real("decay.txt")), tmp_path / "out")["items"][0]["provenance"]["hash"] != key


def test_a_real_file_as_an_option(write: Write, toy: ModuleType, data: Path, tmp_path: Path) -> None:
    study = write(real("decay.txt") + 'options = { other = "decay.txt" }\n')
    item = run(study, tmp_path / "out", data=data)["items"][0]
    assert item["status"] == "done", item["error"]
    assert item["provenance"]["files"]["other"]["sha256"] == item["provenance"]["sha256"]


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "/etc/passwd",
        "a/../../secret.txt",
        "..\\secret.txt",
        "C:\\x",
        "C:x",
        "\\\\host\\share\\x",
        "link",
        "folder/secret.txt",
        "~/x",
        "x\0y",
    ],
)
def test_paths_that_leave_the_folder(write: Write, toy: ModuleType, data: Path, tmp_path: Path, path: str) -> None:
    (data / "link").symlink_to(tmp_path / "secret.txt")
    (data / "folder").symlink_to(tmp_path)
    text = real(path) if "\0" not in path else real("x").replace('"x"', '"x\\u0000y"')
    with pytest.raises(InputError, match=r"^study\.toml, line 8: The path") as caught:
        run(write(text), tmp_path / "out", data=data)
    assert str(tmp_path) not in str(caught.value)
    option = measurement("m").replace('mood = "good"', f"other = {json.dumps(path)}")
    if "\0" not in path:
        with pytest.raises(InputError, match=r"The path"):
            run(write(option), tmp_path / "out", data=data)


def test_missing_files_and_folders(
    write: Write, toy: ModuleType, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PEROLAS_DATA", raising=False)
    result = run(write(real("none.txt") + step("s", "1", "1")), tmp_path / "out", data=data)
    assert [i["status"] for i in result["items"]] == ["failed", "done"]
    assert 'no file "none.txt"' in result["items"][0]["error"]
    with pytest.raises(InputError, match="no folder of data files"):
        run(write(real("none.txt")), tmp_path / "out")
    with pytest.raises(InputError, match="does not exist"):
        run(write(real("none.txt")), tmp_path / "out", data=tmp_path / "nowhere")


@pytest.mark.skipif(
    os.name == "nt" or (hasattr(os, "geteuid") and os.geteuid() == 0), reason="needs a user that can be refused"
)
def test_a_folder_that_cannot_be_written(write: Write, toy: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(InputError, match="cannot be written"):
        run(write(step("s", "1", "1")), tmp_path / "locked" / "out")


def test_the_folder_of_results_is_a_file(write: Write, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match='"out" cannot be written'):
        run(write(step("s", "1", "1")), tmp_path / "out")


def test_seeds(write: Write, toy: ModuleType, tmp_path: Path) -> None:
    result = run(
        write(measurement("a") + measurement("b") + measurement("c", seed=7) + measurement("d", seed=7)),
        tmp_path / "out",
    )
    seeds = [i["provenance"]["seed"] for i in result["items"]]
    assert len(set(seeds)) == 3
    means = [i["estimate"]["quantities"]["mean"]["value"] for i in result["items"]]
    assert means[2] == means[3]
    assert np.unique(means).size == 3
