"""What the command lines of benchmarks say of themselves."""

from pathlib import Path

import pytest

import benchmarks
from benchmarks.report.command import make_parser

ROOT = Path(__file__).parents[4]
COMMANDS = sorted(
    ".".join(file.relative_to(ROOT).with_suffix("").parts)
    for file in (ROOT / "benchmarks").rglob("*.py")
    if "__name__ ==" in file.read_text() and file.stem not in ("__main__", "link")
)


def test_help_is_the_docstring_as_it_is() -> None:
    text = make_parser("benchmarks.x", "First.\n\n    indented\n", "Last.").format_help()
    assert text.startswith("usage: python -m benchmarks.x ")
    assert "First.\n\n    indented\n" in text
    assert text.endswith("Last.\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_benchmark_is_listed(command: str) -> None:
    assert f"python -m {command} " in (benchmarks.__doc__ or "")
    assert f"python -m {command} " in (ROOT / "docs" / "benchmarks.md").read_text()
