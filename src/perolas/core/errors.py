"""The package's own errors: one sentence that says what was wrong and what to do."""

from __future__ import annotations


class PerolasError(Exception):
    """Base of every error that perolas raises on purpose; its text is one sentence for the user."""


class InputError(PerolasError, ValueError):
    """A file, number, unit, name or option that cannot be used (exit code 2)."""


class OpenError(InputError):
    """A number that cannot be told for want of data; the text says which data would tell it."""


class FitError(PerolasError, RuntimeError):
    """A fit that did not converge, raised only when `throw=True` (exit code 1)."""


class StepError(PerolasError, RuntimeError):
    """A step of a study that failed; the rest of the study is still done (exit code 1)."""


def one_line(text: object, limit: int = 200) -> str:
    """Return `text` as one printable line of at most `limit` characters.

    Args:
        text: anything; control characters (which a hostile file can put into a name) are replaced.
        limit: longest result, in characters.

    Returns:
        The shortened line.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
