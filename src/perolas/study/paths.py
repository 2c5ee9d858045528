"""Where a study's data files are, and the rule that no path in it leaves that folder."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path, PurePosixPath, PureWindowsPath

from perolas.core.errors import InputError, one_line
from perolas.measurements import registry
from perolas.study import changes, steps
from perolas.study.schema import Study
from perolas.study.tables import Step

MAX_STEP_FILE = 64 * 2**20  # a step reads text that people write, not instruments


def data_root(study: Study, given: str | os.PathLike[str] | None) -> Path | None:
    """Return the folder of the data files: as given, or $PEROLAS_DATA, or as the study says relative to itself.

    Args:
        study: the study.
        given: what the user said.

    Returns:
        The folder, resolved; None where nobody named one.

    Raises:
        InputError: the folder that was named does not exist.
    """
    named: Path | None = None
    who = ""
    if given is not None:
        named, who = Path(given), "--data"
    elif os.environ.get("PEROLAS_DATA"):
        named, who = Path(os.environ["PEROLAS_DATA"]), "$PEROLAS_DATA"
    elif study.head.data_root is not None:
        named, who = study.path.parent / study.head.data_root, "data_root of the study"
    if named is None:
        return None
    try:
        if named.is_dir():
            return named.resolve()
    except (OSError, ValueError):
        pass
    if not study.measurements:
        return None
    raise InputError(
        f'The folder of data files, "{one_line(named.name or named, 80)}" ({who}), does not exist; '
        "name one with --data or $PEROLAS_DATA."
    )


def inside(root: Path, text: str, folder: str = "data files") -> Path:
    """Return the path of a data file.

    Args:
        root: the folder that it may not leave, resolved.
        text: relative path as the study writes it.
        folder: what it is the folder of, for the message.

    Returns:
        The file, with symbolic links resolved; it need not exist.

    Raises:
        InputError: the path is absolute or leads out of the folder.
    """
    shown = one_line(text, 100)
    windows, posix = PureWindowsPath(text), PurePosixPath(text)
    if windows.is_absolute() or posix.is_absolute() or windows.drive or windows.root or text.startswith("~"):
        raise InputError(f'The path "{shown}" must be relative to the folder of {folder}.')
    if ".." in windows.parts:  # knows both kinds of slash
        raise InputError(f'The path "{shown}" may not go up with "..".')
    try:
        path = (root / text).resolve()
    except (OSError, ValueError, RuntimeError):  # a NUL, a loop of links
        raise InputError(f'The path "{shown}" cannot be used.') from None
    if not path.is_relative_to(root):
        raise InputError(f'The path "{shown}" leads out of the folder of {folder}.')
    return path


def beside(study: Study, root: Path | None, text: str) -> Path:
    """Return the path of a file that a step reads: beside the study file, or else in the folder of data files.

    Args:
        study: the study.
        root: folder of the data files, resolved, where one is known.
        text: relative path as the study writes it.

    Returns:
        The file, with symbolic links resolved; it need not exist.

    Raises:
        InputError: the path is absolute or leads out of the folder.
    """
    own = inside(study.path.parent.resolve(), text, "the study")
    if not own.is_file() and study.digitised is not None:
        taken = inside(study.digitised, text, "digitised curves")
        if taken.is_file():
            return taken
    if root is not None and not own.is_file():
        return inside(root, text)
    return own


def digitised(folder: str | os.PathLike[str]) -> Path:
    """Return a folder of digitised curves, resolved; raises InputError where there is none of that name."""
    path = Path(folder)
    try:
        if path.is_dir():
            return path.resolve()
    except (OSError, ValueError):
        pass
    raise InputError(f'The folder of digitised curves, "{one_line(path.name or path, 80)}", does not exist.')


def contents(study: Study, root: Path | None, step: Step) -> list[dict[str, bytes]]:
    """Return the files that a step reads, path -> content, as its kind takes them: nothing where it reads none.

    Args:
        study: the study.
        root: folder of the data files, resolved, where one is known.
        step: the step.

    Returns:
        A list with one dictionary, or an empty one.

    Raises:
        InputError: a file cannot be read.
    """
    names = steps.kind_of(step).files(step)
    found = {}
    for name in names:
        path = beside(study, root, name)
        if steps.kind_of(step).optional and not path.is_file():
            continue
        if path.is_file() and path.stat().st_size > MAX_STEP_FILE:
            raise InputError(f'"{one_line(path.name, 100)}" is larger than {MAX_STEP_FILE // 2**20} MiB.')
        file_hash(path)  # says in a sentence what is wrong with it
        found[name] = path.read_bytes()
        for change in study.applied.in_files if study.applied else ():
            if change.step == step.name:
                found[name] = changes.in_file(found[name], change)
    return [found] if names else []


def check_paths(study: Study, root: Path | None) -> None:
    """Refuse a study with a path that leaves the folder of data files, or that has files but no folder.

    Args:
        study: the study.
        root: the folder.

    Raises:
        InputError: the sentence names the line.
    """
    for name, measurement in study.measurements.items():
        paths: list[tuple[str, ...]] = [("file",)] if measurement.file is not None else []
        texts = [measurement.file] if measurement.file is not None else []
        for option in registry.technique(measurement.technique).all_options():
            value = measurement.options.get(option.name)
            if option.kind in ("file", "path") and isinstance(value, str):
                paths.append(("options", option.name))
                texts.append(value)
        for key, text in zip(paths, texts, strict=True):
            if root is None:
                study.refuse(
                    f"measurement {name}",
                    "it reads a file, but no folder of data files is known: name one with --data or $PEROLAS_DATA.",
                    *key,
                )
            try:
                inside(root, text)
            except InputError as error:
                study.refuse(f"measurement {name}", str(error), *key)
    for name, step in study.steps.items():
        for text in steps.kind_of(step).files(step):
            try:
                beside(study, root, text)
            except InputError as error:
                study.refuse(f"step {name}", str(error), "file")


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file; raises InputError where it cannot be read."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        raise InputError(f'There is no file "{one_line(path.name, 100)}" in the folder of data files.') from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name cannot be used"
        raise InputError(f'"{one_line(path.name, 100)}" cannot be opened: {one_line(reason)}.') from None
