"""Results of steps, kept under the hash of everything that decides them, so that a killed run loses nothing.

An entry is a folder ``<hash[:2]>/<hash>`` with ``result.json``, NetCDF files where there are data, and ``checksum``.
It is written beside its place and moved there in one go: it is there whole, or not at all. Whoever reads it checks it.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from perolas._version import __version__

_ABANDONED_S = 3600.0  # a half-written entry older than this belongs to a run that was killed


def canonical(value: Any) -> str:
    """Return JSON that is the same for equal data, with None for numbers that are not finite."""
    return json.dumps(plain(value), sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def plain(value: Any) -> Any:
    """Return data that JSON knows, with None for numbers that are not finite."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(v) for v in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, str | bool | int) or value is None:
        return value
    if hasattr(value, "tolist"):  # numpy and jax
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value)


def sha256(data: bytes | str) -> str:
    """Return the SHA-256 of bytes or text, in hexadecimal digits."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


@cache
def code_hash() -> str:
    """Return one hash over the package's own sources; built-in studies stay out, their steps are hashed themselves."""
    root = Path(__file__).resolve().parents[1]
    total = hashlib.sha256()
    for path in sorted(p for p in root.rglob("*") if p.suffix in (".py", ".yaml", ".toml")):
        name = path.relative_to(root).as_posix()
        if not name.startswith("study/builtin/"):
            total.update(f"{name}\0{sha256(path.read_bytes())}\n".encode())
    return total.hexdigest()


@cache
def module_hash(module: str) -> str:
    """Return the hash of a module's own file where it is not part of perolas ("" where it is)."""
    if module.partition(".")[0] == "perolas":
        return ""
    spec = find_spec(module)
    return sha256(Path(spec.origin).read_bytes()) if spec and spec.origin and Path(spec.origin).is_file() else ""


def versions() -> dict[str, str]:
    """Return what besides the sources decides a result: versions of the libraries that calculate, and x64."""
    return {**_libraries(), "x64": str(_x64())}


@cache
def _libraries() -> dict[str, str]:
    found = {"perolas": __version__, "python": f"{sys.version_info[0]}.{sys.version_info[1]}"}
    for name in ("jax", "jaxlib", "numpy", "scipy", "equinox", "diffrax", "gemmi", "pint", "xarray", "h5netcdf"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def _x64() -> bool:
    if "jax" in sys.modules:
        return bool(sys.modules["jax"].config.jax_enable_x64)
    return os.environ.get("JAX_ENABLE_X64", "1").lower() in ("1", "true", "on", "yes")


class Files(Mapping[str, bytes]):
    """The files of an entry: read, and held against their hash, when they are asked for and not before.

    A study of thousands of measurements keeps all its entries at hand; their data stay on the disk.
    """

    def __init__(self, folder: Path, hashes: Mapping[str, str]) -> None:
        self._folder = folder
        self._hashes = dict(hashes)

    def __getitem__(self, name: str) -> bytes:
        """Return the content of a file; raises OSError where it is no longer what it was."""
        wanted = self._hashes[name]
        data = (self._folder / name).read_bytes()
        if sha256(data) != wanted:
            raise OSError(f"the entry {self._folder.name[:12]} of the store changed while it was read")
        return data

    def __iter__(self) -> Iterator[str]:
        """Return an iterator over the names."""
        return iter(self._hashes)

    def __len__(self) -> int:
        """Return how many files there are."""
        return len(self._hashes)


@dataclass(frozen=True)
class Entry:
    """A result out of the store.

    Attributes:
        key: the hash it lies under.
        result: what ``result.json`` holds.
        files: name -> content of its other files.
        digest: hash of its content, for what depends on it.
    """

    key: str
    result: dict[str, Any]
    files: Mapping[str, bytes]
    digest: str


class Store:
    """A folder of results.

    Attributes:
        root: the folder; it is made when something is put into it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._sweep()

    def key(self, recipe: Mapping[str, Any]) -> str:
        """Return the hash of a recipe: everything that decides a result, versions and sources included."""
        return sha256(canonical({"recipe": recipe, "code": code_hash(), "versions": versions()}))

    def get(self, key: str) -> Entry | None:
        """Return an entry, or None where there is none or it is damaged."""
        folder = self._place(key)
        try:
            files = {p.name: p.read_bytes() for p in sorted(folder.iterdir()) if p.is_file()}
            digest = files.pop("checksum").decode("ascii").strip()
            if digest != _digest(files):
                return None
            result = json.loads(files.pop("result.json"))
            files.pop("about.json", None)
            return Entry(key, result, Files(folder, {name: sha256(data) for name, data in files.items()}), digest)
        except (OSError, KeyError, ValueError):
            return None

    def put(
        self, key: str, result: Mapping[str, Any], files: Mapping[str, bytes], about: Mapping[str, Any] | None = None
    ) -> Entry:
        """Store a result and return it as it was stored.

        Args:
            key: from `key`.
            result: JSON-like data; numbers that are not finite become None.
            files: name -> content of further files.
            about: what it is the result of, for whoever looks into the store; it decides nothing.

        Returns:
            The entry, read back.

        Raises:
            OSError: the folder cannot be written.
        """
        text = json.dumps(plain(result), ensure_ascii=True, allow_nan=False, indent=1) + "\n"
        told = (
            json.dumps(
                plain({**(about or {}), "versions": versions(), "code": code_hash()}), ensure_ascii=True, indent=1
            )
            + "\n"
        )
        content = {"result.json": text.encode(), "about.json": told.encode(), **files}
        content["checksum"] = (_digest(content) + "\n").encode()
        half = self.root / "tmp" / uuid.uuid4().hex
        half.mkdir(parents=True)
        try:
            for name, data in content.items():
                (half / name).write_bytes(data)
            place = self._place(key)
            place.parent.mkdir(parents=True, exist_ok=True)
            self._move(half, place, content)
        finally:
            shutil.rmtree(half, ignore_errors=True)
        stored = self.get(key)
        if stored is None:
            raise OSError(f"the store did not keep what was written to it ({self.root.name})")
        return stored

    def _move(self, half: Path, place: Path, content: Mapping[str, bytes]) -> None:
        """Move a finished folder to its place; another run may do the same at the same time."""
        for _ in range(20):
            try:
                os.replace(half, place)
                return
            except OSError:
                # A folder cannot replace one that is not empty. The same content there is as good as ours.
                there = self.get(place.name)
                if there is not None and there.digest == content["checksum"].decode().strip():
                    return
                away = self.root / "tmp" / uuid.uuid4().hex
                try:
                    os.replace(place, away)
                except OSError:
                    time.sleep(0.05)  # another run is just moving it, or (on Windows) reading it
                shutil.rmtree(away, ignore_errors=True)
        os.replace(half, place)

    def write(self, path: Path, data: bytes) -> None:
        """Write a file elsewhere by way of the store's own scratch folder, which is swept after a kill."""
        scratch = self.root / "tmp"
        scratch.mkdir(parents=True, exist_ok=True)
        write_file(path, data, scratch)

    def keys(self) -> list[str]:
        """Return the keys of all entries, whole or damaged."""
        return sorted(p.name for p in self.root.glob("??/*") if p.is_dir() and p.parent.name == p.name[:2])

    def about(self, key: str) -> dict[str, Any]:
        """Return what is told about an entry, with its "bytes" and "changed" (seconds since 1970)."""
        folder = self._place(key)
        try:
            told = json.loads((folder / "about.json").read_text(encoding="ascii"))
        except (OSError, ValueError):
            told = {}
        files = [p.stat() for p in folder.iterdir() if p.is_file()]
        changed = max((f.st_mtime for f in files), default=0.0)
        return {**told, "bytes": sum(f.st_size for f in files), "changed": changed}

    def remove(self, key: str) -> None:
        """Remove an entry: moved away in one go first, so that nobody reads half of it."""
        away = self.root / "tmp" / uuid.uuid4().hex
        away.parent.mkdir(parents=True, exist_ok=True)
        os.replace(self._place(key), away)
        shutil.rmtree(away, ignore_errors=True)

    def _place(self, key: str) -> Path:
        return self.root / key[:2] / key

    def _sweep(self) -> None:
        """Remove what killed runs left half-written; young folders may belong to a run that is alive."""
        try:
            for left in (self.root / "tmp").iterdir():
                if time.time() - left.stat().st_mtime > _ABANDONED_S:
                    shutil.rmtree(left) if left.is_dir() else left.unlink()
        except OSError:
            return


def _digest(files: Mapping[str, bytes]) -> str:
    return sha256("".join(f"{name}\0{sha256(files[name])}\n" for name in sorted(files)))


def write_file(path: Path, data: bytes, scratch: Path | None = None) -> None:
    """Write a file so that it is there whole or not at all; its folder is made.

    Args:
        path: the file.
        data: its content.
        scratch: folder on the same disk for the half-written file; by default the file's own.

    Raises:
        OSError: the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    half = (scratch or path.parent) / f".{path.name}.{uuid.uuid4().hex[:8]}"
    try:
        half.write_bytes(data)
        os.replace(half, path)
    finally:
        half.unlink(missing_ok=True)
