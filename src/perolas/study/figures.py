"""The figures that a study asks for: what each panel shows is looked up here; drawing is the report's."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from perolas.core.errors import InputError
from perolas.study import expression
from perolas.study.expression import Number

if TYPE_CHECKING:
    from perolas.study.schema import Study
    from perolas.study.tables import Panel


def found(study: Study, look: Callable[[str], Number]) -> list[dict[str, Any]]:
    """Return the figures with the numbers that their panels show, as JSON-like data.

    Args:
        study: a loaded study.
        look: gives the number of an ``"item.quantity"``; raises InputError where there is none.

    Returns:
        Name, title and text of each figure, and its panels: their tables as written, with ``numbers`` (label, value,
        std, stated, stated_std in the panel's unit; None where there is none) for those of quantities.
    """
    shown = []
    for figure in study.figures:
        panels = []
        for panel in figure.panel:
            table = panel.model_dump(mode="json")
            if panel.quantities:
                table["numbers"] = [_number(panel, i, look) for i in range(len(panel.quantities))]
            panels.append(table)
        shown.append({"name": figure.name, "title": figure.title, "text": figure.text, "panels": panels})
    return shown


def _number(panel: Panel, index: int, look: Callable[[str], Number]) -> dict[str, Any]:
    name = (panel.quantities or [])[index]
    row: dict[str, Any] = {"label": panel.labels[index] if panel.labels else name}
    row |= {"value": None, "std": None, "stated": None, "stated_std": None}
    try:
        got = look(name).to(panel.unit)
        row |= {"value": got.value, "std": got.std if math.isfinite(got.std) else None}
    except InputError:
        pass  # its item failed, and says so in its own section
    said = panel.stated[index] if panel.stated else ""
    if said != "":
        number = expression.read_number(said, "stated").to(panel.unit)
        row |= {"stated": number.value, "stated_std": number.std}
    return row
