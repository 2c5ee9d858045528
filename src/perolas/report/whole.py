"""A study from its file to its report, in one call: what `perolas.run` is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any


def run(
    study: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    fresh: bool = False,
    figures: bool = False,
    data: str | os.PathLike[str] | None = None,
    changes: Mapping[str, Any] | None = None,
    digitised: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Run a study, write its results and its report.

    Args:
        study: name of a built-in study, or the path of a study file.
        out: folder for `report.html`, `claims.json`, `estimates.json`, `data/` and the store; by default
            ``perolas-out/<id>``.
        fresh: do everything anew instead of taking what the store has.
        figures: also write the figures as PNG.
        data: folder of the data files.
        changes: "what if": path or knob -> other value (docs/whatif.md); the results then lie in ``what-if/`` below
            `out`.
        digitised: folder of digitised curves.

    Returns:
        The results, JSON-like (see docs/contracts.md).

    Raises:
        InputError: the study cannot be used; the sentence names the line.
    """
    from perolas.report import page
    from perolas.study.run import run as run_study

    return run_study(
        study,
        out,
        fresh=fresh,
        figures=figures,
        data=data,
        report=page.write,
        changes=changes,
        digitised=digitised,
    )
