"""What commands print, and how they end."""

import io
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, NoReturn, TextIO

import typer
from rich.console import Console

from gateway.errors import BadSetting, BadSettings, CannotStart, GatewayError
from gateway.ops.lines import can_write

FAILED = 1
MISCONFIGURED = 2
WIDTH = 160
PATIENCE_S: Final = 1.0
"""How long a full pipe is waited for: nobody may read it, and no end waits for a line."""


def examples(*lines: str) -> str:
    """Return the epilog of a command's help: its examples, one a line."""
    return "\n\n".join(("Examples:", *lines))


def output() -> Console:
    """Return standard output; wide enough for a table when it is no terminal."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)


def say(line: str) -> None:
    """Print one line to standard output, now."""
    typer.echo(line)


def complain(lines: Iterable[object]) -> None:
    """Print errors to standard error, one a line; not to one that is closed, full or stuck."""
    with suppress(OSError):
        for line in lines:
            if _is_stuck(sys.stderr):
                return
            typer.echo(f"error: {line}", err=True)


def _is_stuck(stream: TextIO | None) -> bool:
    try:
        return stream is not None and not can_write(stream.fileno(), PATIENCE_S)
    except io.UnsupportedOperation:  # in memory
        return False


def fail(code: int, *lines: object) -> NoReturn:
    """Print errors and end."""
    complain(lines)
    raise typer.Exit(code)


@contextmanager
def told_errors() -> Iterator[None]:
    """Turn errors that the user can mend into lines and an exit code, without a traceback."""
    try:
        yield
    except BadSettings as exc:
        fail(MISCONFIGURED, *exc.problems)
    except BadSetting as exc:
        fail(MISCONFIGURED, exc)
    except (CannotStart, OSError) as exc:
        fail(FAILED, exc)
    except GatewayError as exc:
        fail(MISCONFIGURED, exc)


def format_bytes(size: float) -> str:
    """Return a size as people say it: `1.5 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
