"""`replay`: hit rates that other cache sizes and policies would have on an access log."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import orjson
import typer
from rich.table import Table

from gateway.cache.policies import POLICIES, Asked, Rates, footprint, replay
from gateway.cli.terminal import examples, format_bytes, output, say, told_errors
from gateway.errors import CannotStart

SHARES: Final = (0.01, 0.02, 0.05, 0.1, 0.25, 0.5)
"""Sizes of the caches, as parts of everything that was asked for."""
ENTRY_BYTES: Final = 512
"""What a block costs besides its bytes, about, in memory as on disk."""
MAX_LINE_CHARS: Final = 64 * 1024
_COMBINED: Final = re.compile(r'"(?:GET|HEAD) (\S+) [^"]*" (\d{3}) (\d+|-)')
_SERVED: Final = frozenset((200, 206, 304))
_WIDTH, _HEIGHT, _MARGIN = 640, 360, 50
_HEAD: Final = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
    'font-family="sans-serif" font-size="12">'
)
_COLOURS: Final = ("#0b7285", "#e8590c", "#5f3dc4", "#868e96")

Results = Mapping[str, Sequence[tuple[int, Rates]]]
"""By policy: sizes in bytes, and how often they would have hit."""


class Line(NamedTuple):
    """What is read from one line of a log."""

    target: str
    size: int


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "replay",
        epilog=examples(
            "ipfs-gateway replay access.log",
            "ipfs-gateway replay /var/log/nginx/access.log --svg hits.svg",
        ),
    )(replay_log)


def replay_log(
    log: Annotated[Path, typer.Argument(help="Access log: JSON, or nginx's combined format.")],
    svg: Annotated[
        Path | None, typer.Option(help="Write a plot of the hit rates to this SVG file.")
    ] = None,
) -> None:
    """Print the hit rates of caches of several sizes and policies, simulated from an access log.

    The log has whole answers, not blocks: use the rates to compare sizes and policies. A real cache
    hits more often where answers share blocks.
    """
    with told_errors():
        with log.open("r", encoding="utf-8", errors="replace") as opened:
            trace = read_trace(opened)
        if not trace:
            raise CannotStart(f"{log} has no line of a request for content")
        whole = footprint(trace)
        results = replay_all(trace, whole)
        things = len({asked.key for asked in trace})
        say(f"{len(trace):,} requests for {things:,} paths, {format_bytes(whole)} in all")
        output().print(table_of(results, whole))
        if svg is not None:
            svg.write_text(draw(results, whole), "utf-8")


def read_trace(lines: Iterable[str]) -> list[Asked]:
    """Read the requests for content; the size of a thing is the most that was ever sent of it."""
    found = [line for text in lines if (line := parse_line(text[:MAX_LINE_CHARS])) is not None]
    sizes: dict[str, int] = {}
    for target, size in found:
        sizes[target] = max(size, sizes.get(target, 0))
    return [Asked(line.target.encode(), sizes[line.target] + ENTRY_BYTES) for line in found]


def parse_line(text: str) -> Line | None:
    """Read one line; None if it is no answered request for content."""
    read = _read_json(text) if text.startswith("{") else _read_combined(text)
    if read is None:
        return None
    target, status, size = read
    path = target.partition("?")[0]
    return Line(path, size) if status in _SERVED and path.startswith(("/ipfs/", "/ipns/")) else None


def _read_json(text: str) -> tuple[str, int, int] | None:
    try:
        line = orjson.loads(text)
        return str(line["target"]), int(line["status"]), int(line["bytes"])
    except (ValueError, KeyError, TypeError):
        return None


def _read_combined(text: str) -> tuple[str, int, int] | None:
    found = _COMBINED.search(text)
    if found is None:
        return None
    size = found[3]
    return found[1], int(found[2]), 0 if size == "-" else int(size)


def replay_all(trace: Sequence[Asked], whole: int) -> Results:
    """Replay a trace with every policy at every size."""
    sizes = [max(1, int(whole * share)) for share in SHARES]
    return {
        name: [(size, replay(policy(size), trace)) for size in sizes]
        for name, policy in POLICIES.items()
    }


def table_of(results: Results, whole: int) -> Table:
    """Return a row for each policy, a column for each size: hits of requests and of bytes."""
    first = next(iter(results.values()))
    sizes = [f"{size / whole:.0%} = {format_bytes(size)}" for size, _ in first]
    table = Table("requests / bytes hit", *sizes, box=None, padding=(0, 2, 0, 0))
    for name, row in results.items():
        table.add_row(name, *(f"{rate.requests:.1%} / {rate.bytes:.1%}" for _, rate in row))
    return table


def draw(results: Results, whole: int) -> str:
    """Return a picture as SVG: part of the requests that hit, over the size."""
    lines = [
        _HEAD,
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        *_axes(whole),
    ]
    for number, (name, row) in enumerate(results.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        points = [_place(index, rate.requests) for index, (_, rate) in enumerate(row)]
        lines += [
            f'<line x1="{a:.1f}" y1="{b:.1f}" x2="{c:.1f}" y2="{d:.1f}" stroke="{colour}" '
            'stroke-width="2"/>'
            for (a, b), (c, d) in pairwise(points)
        ]
        y = _HEIGHT - _MARGIN - 16 * (len(results) - number)
        lines.append(f'<text x="{_WIDTH - 220}" y="{y}" fill="{colour}">{name}</text>')
    return "\n".join((*lines, "</svg>\n"))


def _place(index: int, rate: float) -> tuple[float, float]:
    step = (_WIDTH - 2 * _MARGIN) / (len(SHARES) - 1)
    return _MARGIN + index * step, _HEIGHT - _MARGIN - rate * (_HEIGHT - 2 * _MARGIN)


def _axes(whole: int) -> Iterator[str]:
    for percent in range(0, 101, 20):
        x, y = _place(0, percent / 100)
        yield f'<text x="{x - 40:.0f}" y="{y + 4:.0f}">{percent} %</text>'
        yield f'<line x1="{x}" y1="{y}" x2="{_WIDTH - _MARGIN}" y2="{y}" stroke="#dee2e6"/>'
    for index, share in enumerate(SHARES):
        x, y = _place(index, 0)
        size = format_bytes(whole * share)
        yield f'<text x="{x - 20:.0f}" y="{y + 20:.0f}">{share:.0%}</text>'
        yield f'<text x="{x - 20:.0f}" y="{y + 36:.0f}">{size}</text>'
