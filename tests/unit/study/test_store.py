"""The store: whole or absent, checked, and shared by runs at the same time."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from perolas.study import execute, store
from perolas.study.store import Store

RESULT = {"quantities": {"q": {"value": float("nan"), "std": 0.1 + 0.2}}, "b": True}


def test_round_trip(tmp_path: Path) -> None:
    kept = Store(tmp_path / "store")
    key = kept.key({"a": 1})
    assert kept.get(key) is None
    put = kept.put(key, RESULT, {"data.nc": b"\0\1"})
    got = kept.get(key)
    assert got == put
    assert got is not None
    assert got.result == {"quantities": {"q": {"value": None, "std": 0.1 + 0.2}}, "b": True}
    assert got.files == {"data.nc": b"\0\1"}
    assert (tmp_path / "store" / key[:2] / key / "checksum").is_file()
    assert not list((tmp_path / "store" / "tmp").iterdir())


def test_the_key_depends_on_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Store(tmp_path)
    first = kept.key({"a": 1, "b": [1.0]})
    assert first == kept.key({"b": (1.0,), "a": 1})
    assert first != kept.key({"a": 1, "b": [1.5]})
    monkeypatch.setattr(store, "versions", lambda: {"jaxlib": "0"})
    assert first != kept.key({"a": 1, "b": [1.0]})
    monkeypatch.undo()
    monkeypatch.setattr(store, "code_hash", lambda: "0")
    assert first != kept.key({"a": 1, "b": [1.0]})


@pytest.mark.parametrize("damage", ["cut", "flip", "no result", "no checksum", "empty", "extra"])
def test_damage_is_found_and_mended(tmp_path: Path, damage: str) -> None:
    kept = Store(tmp_path)
    key = kept.key({})
    kept.put(key, RESULT, {"data.nc": b"0123456789"})
    folder = tmp_path / key[:2] / key
    match damage:
        case "cut":
            os.truncate(folder / "data.nc", 5)
        case "flip":
            (folder / "result.json").write_bytes((folder / "result.json").read_bytes().replace(b"0", b"1"))
        case "no result":
            (folder / "result.json").unlink()
        case "no checksum":
            (folder / "checksum").unlink()
        case "empty":
            for file in folder.iterdir():
                file.unlink()
        case "extra":
            (folder / "more").write_bytes(b"")
    assert kept.get(key) is None
    assert kept.put(key, RESULT, {"data.nc": b"0123456789"}) == kept.get(key)


def test_many_at_once(tmp_path: Path) -> None:
    kept = Store(tmp_path)
    keys = [kept.key({"i": i}) for i in range(5)]

    def work(i: int) -> bool:
        own = Store(tmp_path)
        entry = own.put(keys[i % 5], {"i": i % 5}, {"data.nc": bytes([i % 5]) * 1000})
        return entry.result == {"i": i % 5} and own.get(keys[(i + 1) % 5]) != entry

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(100)))
    assert not list((tmp_path / "tmp").iterdir())


def test_what_a_killed_run_left_is_swept_when_old(tmp_path: Path) -> None:
    for name, age in (("old", 7200), ("young", 0)):
        folder = tmp_path / "tmp" / name
        folder.mkdir(parents=True)
        os.utime(folder, (time.time() - age,) * 2)
    Store(tmp_path)
    assert [p.name for p in (tmp_path / "tmp").iterdir()] == ["young"]


def test_netcdf_has_no_time_of_day(tmp_path: Path) -> None:
    data = xr.Dataset(
        {"signal": ("time_ns", np.arange(3.0), {"units": "counts"})}, attrs={"a": True, "b": None, "c": {"d": 1}}
    )
    first = execute.netcdf(data)
    time.sleep(1.1)
    assert execute.netcdf(data) == first


def test_write_file_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.json"
    store.write_file(target, b"1")
    store.write_file(target, b"2")
    assert target.read_bytes() == b"2"
    assert [p.name for p in target.parent.iterdir()] == ["a.json"]
