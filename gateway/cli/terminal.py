"""Output, error messages and exit codes of the commands."""

import io
import os
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
"""How long a line waits for a full pipe, which may have no reader; then the line is dropped."""


def examples(*lines: str) -> str:
    """Return the epilog of a command's help: its examples, one a line."""
    return "\n\n".join(("Examples:", *lines))


def output() -> Console:
    """Return standard output; wide enough for a table when it is no terminal."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)


def say(line: str) -> None:
    """Print one line to standard output, now."""
    typer.echo(line)


def announce(line: str) -> None:
    """Print one line to standard output, unless that is closed, full or stuck."""
    with suppress(OSError):
        if not _is_stuck(sys.stdout):
            say(line)


def open_missing_streams() -> None:
    """Open what the process began without (`>&-`) on `/dev/null`.

    Otherwise the next file or connection would get the number, and with it whatever somebody
    prints; and uvloop takes none below 3.
    """
    for fd, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(fd)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
                os.set_inheritable(fd, True)
                setattr(sys, name, os.fdopen(fd, mode, closefd=False))


def complain(lines: Iterable[object]) -> None:
    """Print errors to standard error, one a line."""
    for line in lines:
        tell(f"error: {line}")


def tell(line: str) -> None:
    """Print one line to standard error, unless that is closed, full or stuck."""
    with suppress(OSError):
        if not _is_stuck(sys.stderr):
            typer.echo(line, err=True)


def _is_stuck(stream: TextIO | None) -> bool:
    try:
        return stream is not None and not can_write(stream.fileno(), PATIENCE_S)
    except io.UnsupportedOperation:  # in memory
        return False


def fail(code: int, *lines: object) -> NoReturn:
    """Print errors to standard error and exit with the code."""
    complain(lines)
    raise typer.Exit(code)


@contextmanager
def told_errors() -> Iterator[None]:
    """Turn errors that the user can fix into lines and an exit code, without a traceback."""
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
    """Return a size in bytes with a binary unit: `1.5 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
