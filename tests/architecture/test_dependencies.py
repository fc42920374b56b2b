"""What is installed has the mends that it is known to need, and is what was locked.

Issue 12, 36.
"""

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
LOCKS = ("requirements.lock", "requirements-dev.lock")

FLOORS: Final = {
    "aiohttp": (
        (3, 14, 4),
        "PYSEC-2026-3545, PYSEC-2026-4394: malformed chunked answers and multipart",
    ),
    "cryptography": ((46, 0, 7), "CVE-2026-39892: buffers that are not contiguous overflow"),
    "dnspython": ((2, 9), "CVE-2023-29483, and the excessive CPU that 2.9.0 mends"),
    "starlette": ((1, 3, 1), "CVE-2026-48710, CVE-2026-54282, CVE-2026-54283"),
}
"""Lowest versions, and the reasons."""


def version_of(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


@pytest.mark.parametrize("name", FLOORS)
def test_a_version_with_a_known_fault_cannot_be_installed(name: str) -> None:
    floor, reason = FLOORS[name]
    (asked,) = [
        found[1]
        for line in PROJECT["dependencies"]
        if (found := re.fullmatch(rf"{name}>=([0-9.]+)", line)) is not None
    ]

    assert version_of(asked) >= floor, reason


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize("name", FLOORS)
def test_what_is_locked_is_above_the_floor(name: str, lock: str) -> None:
    floor, reason = FLOORS[name]
    text = (ROOT / lock).read_text("utf-8")
    locked = re.findall(rf"^{name}==([0-9.]+)", text, re.MULTILINE)

    assert locked
    assert all(version_of(version) >= floor for version in locked), reason


@pytest.mark.parametrize("lock", LOCKS)
def test_everything_that_is_locked_has_hashes(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8")
    entries = re.split(r"^(?=\S)", text, flags=re.MULTILINE)

    assert [entry for entry in entries if "==" in entry and "--hash=sha256:" not in entry] == []


def test_the_image_installs_nothing_without_a_hash() -> None:
    installs = re.findall(r"pip install .*", (ROOT / "Dockerfile").read_text("utf-8"))

    assert installs
    assert all("--require-hashes" in each or "--no-build-isolation" in each for each in installs)
    assert re.search(
        r"^setuptools==", (ROOT / "requirements.lock").read_text("utf-8"), re.MULTILINE
    )
