"""BibTeX, so that what a study used can be cited."""

from __future__ import annotations

from collections.abc import Mapping

_SPECIAL = str.maketrans({"&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_"})


def entry(key: str, fields: Mapping[str, str]) -> str:
    """Return one BibTeX entry.

    Args:
        key: citation key.
        fields: ``type`` (article, book, misc ...) and the BibTeX fields; the doi is left as it is.

    Returns:
        The entry, fields in their given order.
    """
    rows = [
        f"  {name} = {{{value if name == 'doi' else value.translate(_SPECIAL)}}},"
        for name, value in fields.items()
        if name != "type"
    ]
    return "\n".join([f"@{fields.get('type', 'misc')}{{{key},", *rows, "}"])
