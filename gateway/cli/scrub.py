"""`scrub`: verify every block of the disk cache, with a progress bar."""

import asyncio
import os
from contextlib import aclosing
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from gateway.cli.settings_file import load_settings
from gateway.cli.terminal import examples, fail, format_bytes, output, say, told_errors
from gateway.errors import CannotStart
from gateway.settings import Settings

FAILED = 1


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "scrub",
        epilog=examples(
            "ipfs-gateway scrub --config gateway.toml",
            "GATEWAY_CACHE__DIRECTORY=/srv/cache ipfs-gateway scrub",
            "ipfs-gateway scrub && echo all blocks are right",
        ),
    )(scrub)


def scrub(
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="A TOML file.", show_default="none")
    ] = None,
) -> None:
    """Verify every block of the disk cache against its CID; a gateway may use it meanwhile.

    Damaged blocks are moved to the quarantine and fetched again on the next request for them; the
    exit code is 1 if there were any.
    """
    with told_errors():
        settings = load_settings(config, os.environ)
        if not settings.cache.disk_size:
            raise CannotStart("the disk tier is off (cache.disk_size)")
        if not Path(settings.cache.directory).is_dir():
            raise CannotStart(f"there is no cache in {settings.cache.directory}")
        damaged = asyncio.run(_scrub(settings))
        if damaged:
            fail(FAILED, f"{damaged} damaged blocks were moved to the quarantine")


async def _scrub(settings: Settings) -> int:
    """Scrub with a progress bar; return how many blocks were damaged."""
    # Importing the cache takes a while, which commands that only print do not pay.
    from gateway.cache.disk.scrub import Scrubbed, scrub  # noqa: PLC0415
    from gateway.cache.tiered_store import TieredStore  # noqa: PLC0415
    from gateway.ops.clock import SystemClock  # noqa: PLC0415
    from gateway.ops.statistics import Statistics  # noqa: PLC0415

    store = await TieredStore.open(settings.cache, SystemClock(), Statistics())
    assert store.disk is not None  # noqa: S101 (its size was looked at)
    progress = Scrubbed(0, 0, 0, 0)
    columns = (
        TextColumn("{task.completed:,} of {task.total:,} blocks"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeRemainingColumn(),
    )
    try:
        with Progress(*columns, console=output()) as bar:
            task = bar.add_task("", total=0)
            async with aclosing(scrub(store.disk)) as steps:
                async for progress in steps:
                    words = f"{format_bytes(progress.bytes)}, {progress.damaged} damaged"
                    bar.update(
                        task,
                        completed=progress.blocks,
                        total=progress.total_blocks,
                        description=words,
                    )
        await store.flush()
    finally:
        await store.close()
    say(f"{progress.blocks:,} blocks, {format_bytes(progress.bytes)}: {progress.damaged} damaged")
    return progress.damaged
