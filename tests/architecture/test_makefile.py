"""The Makefile judges coverage where all tests run, and only there."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BARS = (
    "--cov-fail-under=97",
    "coverage report --include='gateway/content/*,gateway/protocol/*' --fail-under=100",
)


def commands_of(target: str, arguments: str) -> str:
    """Return what `make` would run, without running it."""
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not installed")
    return subprocess.run(  # noqa: S603 (the make of this environment)
        [make, "--dry-run", "--no-print-directory", target, f"ARGS={arguments}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    ).stdout


@pytest.mark.parametrize("target", ["unit", "test"])
def test_all_tests_are_judged_by_their_coverage(target: str) -> None:
    assert all(bar in commands_of(target, "") for bar in BARS)


@pytest.mark.parametrize("target", ["unit", "test"])
def test_some_tests_are_not(target: str) -> None:
    """Issue 13, 8: `make unit ARGS="-k cid"` failed with 30 % coverage."""
    commands = commands_of(target, "-k cid")

    assert "-n auto  -k cid" in commands
    assert "cov" not in commands
