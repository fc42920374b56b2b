"""`scrub` tells whether all blocks are right."""

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.rig.writers import open_cache
from gateway.cli import app
from tests.fakes.blocks import numbered

BLOCKS = [numbered(n, 20_000) for n in range(5)]


async def fill(directory: Path) -> None:
    store = await open_cache(directory)
    for block in BLOCKS:
        await store.keep(block)
    await store.close()


@pytest.fixture(name="directory")
def directory_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "cache"
    monkeypatch.setenv("GATEWAY_CACHE__DIRECTORY", str(directory))
    return directory


def test_a_sound_cache_is_all_right(directory: Path) -> None:
    asyncio.run(fill(directory))
    result = CliRunner().invoke(app, ["scrub"])
    assert result.exit_code == 0
    assert "5 blocks, 97.7 KiB: 0 damaged" in result.stdout


def test_damage_is_an_error(directory: Path) -> None:
    asyncio.run(fill(directory))
    (path,) = directory.rglob(BLOCKS[0].cid.multihash.hex())
    path.write_bytes(bytes(20_000))
    result = CliRunner().invoke(app, ["scrub"])
    assert result.exit_code == 1
    assert "1 damaged blocks were moved" in result.stderr


@pytest.mark.parametrize(
    ("size", "reason"),
    [pytest.param("0", "disk tier is off", id="off"), pytest.param("1GiB", "no cache", id="none")],
)
def test_nothing_to_scrub_is_told(
    directory: Path, monkeypatch: pytest.MonkeyPatch, size: str, reason: str
) -> None:
    assert not directory.exists()
    monkeypatch.setenv("GATEWAY_CACHE__DISK_SIZE", size)
    result = CliRunner().invoke(app, ["scrub"])
    assert result.exit_code == 1
    assert reason in result.stderr
