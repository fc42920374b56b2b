"""Errors that a user can mend are lines and an exit code."""

import pytest
import typer

from gateway.cli.terminal import examples, output, told_errors
from gateway.errors import BadCid, BadSetting, BadSettings, CannotStart


@pytest.mark.parametrize(
    ("error", "code", "lines"),
    [
        (BadSetting("a.b", "is wrong"), 2, ["error: a.b: is wrong"]),
        (
            BadSettings([BadSetting("a.b", "is wrong"), BadSetting("c", "is worse")]),
            2,
            ["error: a.b: is wrong", "error: c: is worse"],
        ),
        (CannotStart("the port is taken"), 1, ["error: the port is taken"]),
        (OSError(28, "No space left on device"), 1, ["error: [Errno 28] No space left on device"]),
        (BadCid("it is empty"), 2, ["error: invalid CID: it is empty"]),
    ],
)
def test_an_error_becomes_lines_and_an_exit_code(
    error: Exception, code: int, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended, told_errors():
        raise error

    assert ended.value.exit_code == code
    assert capsys.readouterr().err.splitlines() == lines


def test_an_error_of_ours_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError, match="division"), told_errors():
        raise ZeroDivisionError("division by zero")


def test_examples_are_one_a_line() -> None:
    assert examples("a b", "c d") == "Examples:\n\na b\n\nc d"


def test_tables_are_wide_when_nobody_looks() -> None:
    assert output().width == 160
