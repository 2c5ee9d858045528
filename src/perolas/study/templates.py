"""Empty CSV files for the curves that a study could use, if somebody read them off the figures."""

from __future__ import annotations

import os
from pathlib import Path

from perolas.core.errors import InputError, one_line
from perolas.study import graph, paths, schema, store
from perolas.study.steps_digitised import Digitised, template


def write_templates(study: str | os.PathLike[str], folder: str | os.PathLike[str]) -> list[tuple[Path, str, bool]]:
    """Write a template for each digitised curve of a study, where there is no file of that name yet.

    Args:
        study: a built-in name or the path of a study file.
        folder: it is made.

    Returns:
        For each: the file, what belongs into it, and whether it was written.

    Raises:
        InputError: the study cannot be used or asks for no curves, or the folder cannot be written.
    """
    loaded = schema.load(study)
    graph.build(loaded)
    asked = [s for s in loaded.steps.values() if isinstance(s, Digitised)]
    if not asked:
        raise InputError(f'The study "{loaded.head.id}" asks for no digitised curves.')
    found = []
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        root = Path(folder).resolve()
        for step in asked:
            path = paths.inside(root, step.file, "digitised curves")
            new = not path.exists()
            if new:
                store.write_file(path, template(step).encode())
            found.append((Path(folder) / step.file, step.about or step.name, new))
    except OSError as error:
        name = one_line(Path(folder).name, 80)
        raise InputError(f'"{name}" cannot be written: {one_line(error.strerror or error)}.') from error
    return found
