"""The command line as a whole."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from gateway import __version__
from gateway.cli import app

COMMANDS = ("serve", "demo", "check-config", "cid", "stats")


def test_version_is_that_of_the_package() -> None:
    result = CliRunner().invoke(app, ["--version"])

    assert (result.exit_code, result.stdout) == (0, f"ipfs-gateway {__version__}\n")


def test_without_a_command_there_is_help() -> None:
    result = CliRunner().invoke(app, [])

    assert result.exit_code == 2
    assert all(command in result.output for command in COMMANDS)


@pytest.mark.parametrize("arguments", [["nothing"], ["cid"], ["serve", "--nothing"]])
def test_a_wrong_command_line_is_refused(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)

    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_the_package_can_be_run() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "--version"], capture_output=True, text=True, check=True
    )

    assert done.stdout == f"ipfs-gateway {__version__}\n"
