"""`stats`: figures of the cache and the upstreams of a running gateway, as tables."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import httpx
import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table

from gateway.cli.remote import DEFAULT_URL, AdminToken, AdminUrl, connect, fetch
from gateway.cli.terminal import examples, format_bytes, output, told_errors

CACHE_PAGE = "/api/v1/cache"
UPSTREAMS_PAGE = "/api/v1/upstreams"
ROOTS_SHOWN = 10

# Words in the names of figures that are no plain counts.
_BYTES = {"bytes", "limit"}
_RATIOS = {"ratio", "share"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "stats",
        epilog=examples(
            "ipfs-gateway stats",
            "ipfs-gateway stats --watch",
            "GATEWAY_ADMIN__TOKEN=... ipfs-gateway stats --url https://gateway.example:8081",
        ),
    )(stats)


def stats(
    url: AdminUrl = DEFAULT_URL,
    token: AdminToken = "",
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh until Ctrl-C.")] = False,
    every: Annotated[
        float, typer.Option(min=0.1, help="Seconds between refreshes (with --watch).")
    ] = 2.0,
) -> None:
    """Show the cache and upstream statistics of a running gateway."""
    with told_errors(), connect(url, token) as client:
        if not watch:
            output().print(_look(client))
            return
        _watch(client, every)


def _watch(client: httpx.Client, every_s: float) -> None:
    try:
        with Live(_look(client), console=output(), auto_refresh=False) as live:
            while True:
                time.sleep(every_s)
                live.update(_look(client), refresh=True)
    except KeyboardInterrupt:
        return


def _look(client: httpx.Client) -> Group:
    return render(fetch(client, CACHE_PAGE, dict), fetch(client, UPSTREAMS_PAGE, list))


def render(cache: Mapping[str, Any], upstreams: Sequence[Mapping[str, Any]]) -> Group:
    """Make tables of the two pages; figures of later versions are shown, too."""
    return Group(*_tables(cache, upstreams))


def _tables(
    cache: Mapping[str, Any], upstreams: Sequence[Mapping[str, Any]]
) -> Iterator[Table | str]:
    figures = Table("cache", "", box=None, padding=(0, 2, 0, 0))
    for name, value in cache.items():
        if name != "top_roots":
            figures.add_row(name.replace("_", " "), _format(name, value))
    yield figures
    yield ""
    columns = dict.fromkeys(name for row in upstreams for name in row)
    rows = Table(*(name.replace("_", " ") for name in columns), box=None, padding=(0, 2, 0, 0))
    for row in upstreams:
        rows.add_row(*(_format(name, row.get(name)) for name in columns))
    yield rows
    yield ""
    roots = Table("top roots", "requests", box=None, padding=(0, 2, 0, 0))
    for root in cache.get("top_roots", ())[:ROOTS_SHOWN]:
        roots.add_row(str(root["root"]), _format("", root["requests"]))
    yield roots


def _format(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_format(name, item)}" for key, item in value.items()) or "none"
    words = set(name.split("_"))
    if isinstance(value, float):
        return f"{value:.1%}" if words & _RATIOS else f"{value:.1f}"
    if isinstance(value, int):
        return format_bytes(value) if words & _BYTES else f"{value:,}"
    return "-" if value is None else str(value)
