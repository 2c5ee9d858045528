"""A file at the door: opened once, measured before it is loaded, decoded as text where it is text."""

from __future__ import annotations

import hashlib
import stat
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from perolas.core.errors import InputError, one_line

DEFAULT_MAX_BYTES = 256 * 2**20
MAX_TEXT_BYTES = 64 * 2**20
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclass(frozen=True)
class Source:
    """The content of one file.

    Attributes:
        path: where it is (never shown to anyone: messages use `name`).
        name: file name without folder, printable.
        data: its bytes.
    """

    path: Path
    name: str
    data: bytes

    @property
    def extension(self) -> str:
        """The last extension in small letters with its dot, e.g. ``".vms"``."""
        return self.path.suffix.lower()

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the content, in hexadecimal digits."""
        return hashlib.sha256(self.data).hexdigest()

    @cached_property
    def is_text(self) -> bool:
        """Whether the content can be decoded and holds no control characters that text does not have."""
        try:
            return bool(self.text.strip())
        except InputError:
            return False

    @cached_property
    def text(self) -> str:
        """The content as text: by its byte-order mark, else UTF-16 by its zero bytes, UTF-8, or Windows-1252."""
        if len(self.data) > MAX_TEXT_BYTES:
            raise InputError(
                f"It holds {len(self.data) / 2**20:.0f} MiB, and text is read up to {MAX_TEXT_BYTES // 2**20} MiB; "
                "cut out the part that holds the spectrum."
            )
        try:
            text = self.data.decode(_encoding(self.data))
        except UnicodeError:
            raise InputError("Its characters cannot be decoded; save it again as UTF-8 text.") from None
        if any(text.find(chr(code)) >= 0 for code in (*range(9), *range(14, 26), 27)):
            raise InputError("It is not text and not a format that perolas knows; `perolas formats` lists those.")
        return text


def _encoding(data: bytes) -> str:
    for mark, name in _BOMS:
        if data.startswith(mark):
            return name
    head = data[:2000]
    if len(head) >= 4 and head[1::2].count(0) > 0.8 * len(head[1::2]):
        return "utf-16-le"
    if len(head) >= 4 and head[0::2].count(0) > 0.8 * len(head[0::2]):
        return "utf-16-be"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def open_source(path: str | Path, max_bytes: int = DEFAULT_MAX_BYTES) -> Source:
    """Load a file, if it is one and not larger than allowed.

    Args:
        path: the file.
        max_bytes: the largest size that is loaded, in bytes.

    Returns:
        Its content.

    Raises:
        InputError: missing, a folder, a device, not readable, empty, or too large.
    """
    try:
        name = one_line(Path(path).name or path, 120)
        file = Path(path)
        status = file.stat()
        if stat.S_ISDIR(status.st_mode):
            raise InputError(f'"{name}" is a folder; name one of the files in it.')
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f'"{name}" is not an ordinary file.')
        if status.st_size > max_bytes:
            raise InputError(
                f'"{name}" holds {status.st_size / 2**20:.1f} MiB, more than the {max_bytes / 2**20:g} MiB that are '
                "read at most; raise max_bytes if it is a spectrum."
            )
        with file.open("rb") as stream:
            data = stream.read(min(status.st_size, max_bytes) + 1)  # read(n) sets n bytes aside
    except FileNotFoundError:
        raise InputError(f'There is no file "{name}"; check the name and the folder.') from None
    except PermissionError:
        raise InputError(f'"{name}" may not be read; ask its owner for permission.') from None
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or "its name cannot be used"
        raise InputError(f'"{one_line(Path(str(path)).name, 120)}" cannot be opened: {one_line(reason)}.') from None
    if not data:
        raise InputError(f'"{name}" is empty; export the measurement again.')
    if len(data) > max_bytes:
        raise InputError(f'"{name}" grew beyond {max_bytes / 2**20:g} MiB while it was read.')
    return Source(file, name, data)
