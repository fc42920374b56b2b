"""`warm`, `pin` and `purge`: orders to the admin listener of a running gateway."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from gateway.cli.remote import DEFAULT_URL, AdminToken, AdminUrl, connect, fetch, follow, order
from gateway.cli.terminal import examples, fail, format_bytes, output, say, told_errors
from gateway.content.cid import parse_cid
from gateway.errors import CannotStart, GatewayError

FAILED = 1
PURGE_PAGE = "/api/v1/purge"
WARM_PAGE = "/api/v1/warm"
PINS_PAGE = "/api/v1/pins"
CIDS_AT_ONCE = 1000
PURGE_TIMEOUT_S = 600.0
LOOK_S = 0.5
MAX_FILE_BYTES = 64 * 1024 * 1024

Targets = Annotated[
    list[str], typer.Argument(help="CIDs, or files with one CID in each line.", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        "warm",
        epilog=examples(
            "ipfs-gateway warm bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
            "ipfs-gateway warm roots.txt",
            "ipfs-gateway warm roots.txt --url http://10.0.0.1:8081 --token ...",
        ),
    )(warm)
    app.command(
        "pin",
        epilog=examples(
            "ipfs-gateway pin bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
            "ipfs-gateway pin --remove bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
            "ipfs-gateway pin --list",
        ),
    )(pin)
    app.command(
        "purge",
        epilog=examples(
            "ipfs-gateway purge bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
            "ipfs-gateway purge --recursive roots.txt",
        ),
    )(purge)


def warm(targets: Targets, url: AdminUrl = DEFAULT_URL, token: AdminToken = "") -> None:
    """Fetch whole DAGs into the cache of a running gateway before they are requested.

    Ctrl-C stops it; blocks fetched so far stay cached.
    """
    with told_errors(), connect(url, token) as client:
        failed = 0
        with _bar() as bar:
            for cids in _chunks(read_targets(targets)):
                rows = follow(client, WARM_PAGE, {"cids": cids})
                failed += _show(bar, rows)
        if failed:
            fail(FAILED, f"{failed} of the DAGs could not be fetched completely")


def pin(
    targets: Annotated[
        list[str] | None,
        typer.Argument(help="CIDs, or files with one CID in each line.", show_default=False),
    ] = None,
    url: AdminUrl = DEFAULT_URL,
    token: AdminToken = "",
    *,
    remove: Annotated[
        bool, typer.Option("--remove", help="Unpin instead: allow eviction again.")
    ] = False,
    list_: Annotated[bool, typer.Option("--list", help="List all pins.")] = False,
    wait: Annotated[bool, typer.Option(help="Wait until every block is fetched.")] = True,
) -> None:
    """Protect whole DAGs from eviction; blocks that are not cached are fetched."""
    with told_errors(), connect(url, token) as client:
        if list_ or not targets:
            output().print(_pins_table(fetch(client, PINS_PAGE, list)))
            return
        cids = read_targets(targets)
        for chunk in _chunks(cids):
            order(client, PINS_PAGE, {"remove" if remove else "add": chunk}, list)
        if remove:
            say(f"unpinned {len(cids)}")
        elif wait:
            _wait_for_pins(client, cids)


def purge(
    targets: Targets,
    url: AdminUrl = DEFAULT_URL,
    token: AdminToken = "",
    *,
    recursive: Annotated[
        bool, typer.Option("--recursive", help="Also remove all cached blocks below them.")
    ] = False,
) -> None:
    """Remove content from the cache: memory, disk and finished answers of all workers."""
    with told_errors(), connect(url, token, PURGE_TIMEOUT_S) as client:
        table = Table("cid", "blocks", "bytes", "", box=None, padding=(0, 2, 0, 0))
        for cids in _chunks(read_targets(targets)):
            result = order(client, PURGE_PAGE, {"cids": cids, "recursive": recursive}, dict)
            for row in result["purged"]:
                table.add_row(
                    row["cid"], f"{row['blocks']:,}", format_bytes(row["bytes"]), _remark(row)
                )
        output().print(table)


def read_targets(targets: Sequence[str]) -> list[str]:
    """Return the CIDs that are named on the command line and in files.

    Raises:
        CannotStart: something is neither a CID nor a file of CIDs.
    """
    cids: list[str] = []
    for target in targets:
        path = Path(target)
        if path.is_file():
            lines = path.read_text("utf-8").splitlines()
            texts = [line.partition("#")[0].strip() for line in lines]
            cids += [_checked(text, target) for text in texts if text]
        else:
            cids.append(_checked(target, "the command line"))
    return list(dict.fromkeys(cids))


def _checked(text: str, where: str) -> str:
    text = text.removeprefix("/ipfs/").rstrip("/")
    try:
        parse_cid(text)
    except GatewayError:
        raise CannotStart(f'"{text[:80]}" in {where} is neither a CID nor a file') from None
    return text


def _chunks(cids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(cids), CIDS_AT_ONCE):
        yield cids[start : start + CIDS_AT_ONCE]


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TextColumn("{task.fields[remark]}"),
        console=output(),
    )


def _show(bar: Progress, rows: Iterator[dict[str, Any]]) -> int:
    """Draw the progress of DAGs; return how many failed."""
    tasks: dict[str, Any] = {}
    failed = 0
    for row in rows:
        cid, state = row["cid"], row["state"]
        if cid not in tasks:
            tasks[cid] = bar.add_task(cid, total=None, remark="")
        size = row.get("bytes", 0)
        is_done = state == "done"
        # Roots say more than there is when blocks occur twice: what came is all of it.
        total = size if is_done else row.get("expected_bytes")
        remark = row.get("reason") or state
        bar.update(tasks[cid], completed=size, total=total, remark=remark)
        failed += state in ("failed", "cancelled")
    return failed


def _wait_for_pins(client: httpx.Client, cids: Sequence[str]) -> None:
    wanted = {parse_cid(cid).multihash for cid in cids}
    with _bar() as bar:
        tasks: dict[str, Any] = {}
        while True:
            rows = [
                row
                for row in fetch(client, PINS_PAGE, list)
                if parse_cid(row["cid"]).multihash in wanted
            ]
            for row in rows:
                cid, is_whole = row["cid"], row["state"] == "pinned"
                if cid not in tasks:
                    tasks[cid] = bar.add_task(cid, total=None, remark="")
                size, remark = row["bytes"], row["reason"] or row["state"]
                total = size if is_whole else None
                bar.update(tasks[cid], completed=size, total=total, remark=remark)
            if all(row["state"] in ("pinned", "failed") for row in rows):
                break
            time.sleep(LOOK_S)
    failed = sum(row["state"] == "failed" for row in rows)
    if failed:
        fail(FAILED, f"{failed} of the pins failed; they are tried again every few minutes")


def _pins_table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table("cid", "state", "blocks", "bytes", "", box=None, padding=(0, 2, 0, 0))
    for row in rows:
        size = format_bytes(row["bytes"])
        table.add_row(row["cid"], row["state"], f"{row['blocks']:,}", size, row["reason"])
    return table


def _remark(row: dict[str, Any]) -> str:
    remarks = []
    if row["pinned"]:
        remarks.append(f"{row['pinned']:,} pinned blocks stayed")
    if row["holes"]:
        remarks.append(f"what is below {row['holes']:,} blocks that are not cached is not known")
    return "; ".join(remarks)
