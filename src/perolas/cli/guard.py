"""Around every command: streams that never break it, a compilation cache, and errors as one sentence and a code."""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

DONE, FAILED, BAD_INPUT, INTERNAL, INTERRUPTED = 0, 1, 2, 3, 130


def guarded(command: Callable[[], Any]) -> int:
    """Run a command and turn whatever goes wrong into a sentence on standard error and an exit code.

    Args:
        command: returns its exit code, or None for 0.

    Returns:
        The exit code.
    """
    _prepare()
    try:
        code = command()
        sys.stdout.flush()
        return int(code) if isinstance(code, int) else DONE
    except click.exceptions.Exit as end:
        return end.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _say("Interrupted; what was finished is kept, and running it again goes on from there.", INTERRUPTED)
    except click.ClickException as error:
        return _say(" ".join(error.format_message().split()), BAD_INPUT)
    except BrokenPipeError:  # whoever read our output went away, as in `perolas formats | head -1`
        return _closed()
    except Exception as error:
        return _explain(error)


def _explain(error: Exception) -> int:
    from perolas.core.errors import FitError, PerolasError, StepError, one_line

    if isinstance(error, PerolasError):
        if _debugging():
            traceback.print_exc()
        return _say(str(error), FAILED if isinstance(error, FitError | StepError) else BAD_INPUT)
    log = _log(error)
    where = f"; the details are in {log}" if log else ""
    return _say(f"An error inside perolas ({type(error).__name__}: {one_line(error, 120)}){where}.", INTERNAL)


def _say(sentence: str, code: int) -> int:
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    with suppress(OSError, ValueError):
        print(f"perolas: {sentence}", file=sys.stderr, flush=True)
    return code


def _closed() -> int:
    """Let nothing more be written: Python would complain when it flushes at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return DONE


def _log(error: Exception) -> Path | None:
    """Write the traceback to a file; return the file."""
    import tempfile
    from datetime import UTC, datetime

    import platformdirs

    if _debugging():
        traceback.print_exception(error)
    header = f"{datetime.now(UTC).isoformat()} perolas {' '.join(sys.argv[1:])}"
    text = "\n".join([header, *traceback.format_exception(error), ""])
    for folder in (platformdirs.user_log_dir("perolas"), tempfile.gettempdir()):
        with suppress(OSError):
            Path(folder).mkdir(parents=True, exist_ok=True)
            path = Path(folder) / "perolas-error.log"
            with path.open("a", encoding="utf-8", errors="replace") as stream:
                stream.write(text)
            return path
    return None


def _debugging() -> bool:
    return os.environ.get("PEROLAS_DEBUG", "") not in ("", "0")


def _prepare() -> None:
    """Make the process fit for a command; must come before jax is imported."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal without the letter σ shows a question mark; it does not stop the command.
        with suppress(AttributeError, OSError, ValueError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    if _debugging():
        logging.basicConfig(level=logging.WARNING)
        logging.getLogger("perolas").setLevel(logging.DEBUG)
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ and "jax" not in sys.modules:
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(_cache())
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")


def _cache() -> Path:
    """Return the folder for compiled code: one for each kind of processor, for a home that several machines share."""
    import platformdirs

    kind = platform.machine()
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
        kind += "-" + hashlib.sha256(flags.encode()).hexdigest()[:12]
    return Path(platformdirs.user_cache_dir("perolas")) / "jax" / (kind or "any")
