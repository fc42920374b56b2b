"""Every table keyed by what a client sends has a bound, and lets something go for what is new.

Issue 12, 22: a table that was full once took no new host for ever.
"""

import ast
import asyncio
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest

from gateway.cache.memory.s3fifo import Entry, S3Fifo
from gateway.client_table import ClientTable
from gateway.content.cid import RAW, Cid, sha256_cid
from gateway.content.memo import Memo
from gateway.content.walk import Scope, Want
from gateway.guard.limits import MAX_NOTED, Rate, TokenBuckets
from gateway.naming.table import Table as NameTable
from gateway.ops.events import LoggedStatistics
from gateway.ops.record import RequestKind
from gateway.ops.statistics import MAX_LABELS, Statistics
from gateway.ops.top_roots import CAPACITY, TopKeys
from gateway.ports import Rejection
from gateway.upstream.retrieval.negative_cache import MAX_ABSENCES, NegativeCache
from gateway.upstream.retrieval.range_prefetch import MAX_FILES, RangePrefetch
from gateway.web.hot.body_builder import MAX_SEEN as MAX_OFFERED
from gateway.web.hot.body_builder import Filler
from gateway.web.hot.known_heads import MAX_SEEN, KnownHeads, Ready
from gateway.web.hot.table import MAX_HOSTS, HotEntry, HotTable
from tests.fakes.clock import FakeClock
from tests.fakes.requests import RECORD

PACKAGE = Path(__file__).parents[2] / "gateway"
BYTES = 256 * 1024
ANYTHING = cast("Any", None)  # parts that are not used here


class Table(NamedTuple):
    """One table: what a client sends is made of a number."""

    add: Callable[[int], object]
    size: Callable[[], int]
    """In what `most` counts."""
    most: int
    has: Callable[[int], object]
    """Whether it knows what was made of a number."""
    adds: int = 0
    """How many numbers are more than it can keep, when that is not `most` and some."""


def hot_entry() -> HotEntry:
    return HotEntry(b"", (b"", b""), b"", b'"e"', bytes(1000), "root", RequestKind.FILE)


def key(number: int) -> bytes:
    return b"/%d" % number


def hot_answers() -> Table:
    table = HotTable(BYTES)
    put = lambda number: table.put(key(number), b"host", b"", hot_entry())  # noqa: E731 (a column)
    return Table(put, lambda: table.size_bytes, BYTES, lambda n: key(n) in table, adds=1000)


def hot_hosts() -> Table:
    table = HotTable(BYTES)

    def find(number: int) -> object:
        return table.find(b"/", [(b"host", key(number))])

    sites = vars(table)["_sites"]
    return Table(
        lambda n: table.put(b"/", key(n), b"", hot_entry()), lambda: len(sites), MAX_HOSTS, find
    )


def known_heads() -> Table:
    table = HotTable(BYTES)
    table.put(b"/", b"host", b"", hot_entry())
    ready = Ready(b"/", (b"", b""), b"", (), RECORD, lambda _: None)
    learn = lambda number: table.learn(key(number), ready)  # noqa: E731 (a column)
    has = table.heads.ready.__contains__
    return Table(learn, lambda: table.size_bytes, BYTES, lambda n: has(key(n)), adds=1000)


def seen_heads() -> Table:
    heads = KnownHeads()
    seen = vars(heads)["_seen"]
    add = lambda number: heads.has_come_before(key(number))  # noqa: E731 (a column)
    return Table(add, lambda: len(seen), MAX_SEEN, lambda n: hash(key(n)) in seen)


def offered_files() -> Table:
    filler = Filler(ANYTHING, 0)
    seen = vars(filler)["_seen"]
    add = lambda number: filler.has_come_before(key(number))  # noqa: E731 (a column)
    return Table(add, lambda: len(seen), MAX_OFFERED, lambda n: key(n) in seen)


def clients_of_the_limit() -> Table:
    slots = 64
    table = ClientTable.private(slots)
    return Table(
        lambda number: table.claim(number + 1, 0),
        lambda: sum(tag != 0 for tag in table.tags),
        slots,
        lambda number: number + 1 in table.tags,
    )


def clients_to_tell_of() -> Table:
    buckets = TokenBuckets(Rate(1, 1), 1, ClientTable.private(64))
    buckets.hand_over()
    taken = vars(buckets)["_taken"]
    return Table(
        lambda n: buckets.take(str(n), 0), lambda: len(taken), MAX_NOTED, lambda n: str(n) in taken
    )


def absences() -> Table:
    table = NegativeCache()
    return Table(
        lambda number: table.note(key(number), (), 0),
        lambda: len(table),
        MAX_ABSENCES,
        lambda number: table.find(key(number), 0) is not None,
    )


def cid(number: int) -> Cid:
    return sha256_cid(RAW, number.to_bytes(32, "big"))


def last_slices() -> Table:
    players = RangePrefetch(ANYTHING)
    stops = vars(players)["_stops"]

    def read(number: int) -> None:
        players.read(Want(cid(number), (), Scope.ENTITY, 0, 10, cid(number)), "u", None)

    return Table(read, lambda: len(stops), MAX_FILES, lambda n: cid(n).multihash in stops)


def names() -> Table:
    table: NameTable[int] = NameTable(64)
    return Table(
        lambda number: asyncio.run(table.keep(str(number), number)),
        lambda: len(table),
        64,
        lambda number: asyncio.run(table.find(str(number))) is not None,
    )


def top_roots() -> Table:
    top = TopKeys()
    return Table(
        lambda number: top.add(str(number)),
        lambda: len(top.snapshot()),
        CAPACITY,
        lambda number: str(number) in [row[0] for row in top.snapshot()],
    )


def label_table(statistics: Statistics, name: str, key_of: Callable[[str], Hashable]) -> Table:
    table = vars(statistics)[name]
    return Table(
        lambda number: statistics.block_rejected(Rejection.MISMATCH, str(number)),
        lambda: len(table),
        MAX_LABELS,
        lambda number: key_of(str(number)) in table,
    )


def labels() -> Table:
    return label_table(Statistics(), "_rejected", lambda source: source)


def logged_failures() -> Table:
    statistics = LoggedStatistics(FakeClock())
    return label_table(
        statistics, "_last", lambda source: ("block_rejected", source, Rejection.MISMATCH)
    )


def blocks_in_memory() -> Table:
    queues: S3Fifo[None] = S3Fifo(64)
    return Table(
        lambda number: queues.put(key(number), Entry(None, 1)),
        lambda: queues.size + len(vars(queues)["_ghosts"]),
        2 * 64,
        lambda number: key(number) in queues,
    )


def parsed_nodes() -> Table:
    memo: Memo[int, int] = Memo(64)
    return Table(lambda number: memo.keep(number, number, 1), lambda: memo.weight, 64, memo.find)


TABLES: dict[str, Callable[[], Table]] = {
    "hot answers, by target and host": hot_answers,
    "what a Host stands for": hot_hosts,
    "request heads known to the byte": known_heads,
    "request heads that came once": seen_heads,
    "targets that may become files": offered_files,
    "buckets of clients": clients_of_the_limit,
    "clients to tell other machines of": clients_to_tell_of,
    "roots that nobody has": absences,
    "where players stopped": last_slices,
    "names and hosts": names,
    "roots asked for most": top_roots,
    "sources of wrong blocks": labels,
    "failures written lately": logged_failures,
    "blocks in memory, and their ghosts": blocks_in_memory,
    "parsed nodes": parsed_nodes,
}
"""Beside these: the memories of functions, below; what is there while a request or a connection
is; and what is keyed by upstreams, which are configured, or told by a router within bounds of
its own."""


@pytest.mark.parametrize("name", TABLES)
def test_a_full_table_takes_what_is_new(name: str) -> None:
    table = TABLES[name]()
    last = table.adds or table.most + 50
    for number in range(last + 1):
        table.add(number)
    assert 0 < table.size() <= table.most
    assert table.has(last)


def memories() -> list[tuple[str, ast.Call | None]]:
    """Return every use of functools' memories, by file and line, with its arguments."""
    found: list[tuple[str, ast.Call | None]] = []
    for path in sorted(PACKAGE.rglob("*.py")):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        imports = [node for node in nodes if isinstance(node, ast.ImportFrom)]
        names = {one.name for node in imports if node.module == "functools" for one in node.names}
        calls = {id(node.func): node for node in nodes if isinstance(node, ast.Call)}
        found += [
            (f"{path.relative_to(PACKAGE)}:{node.lineno}", calls.get(id(node)))
            for node in nodes
            if isinstance(node, ast.Name) and node.id in names & {"cache", "lru_cache"}
        ]
    return found


def test_every_memory_of_a_function_has_a_bound() -> None:
    unbounded = [
        where
        for where, call in memories()
        if call is None
        or not (sizes := [*call.args, *(word.value for word in call.keywords)])
        or (isinstance(sizes[0], ast.Constant) and sizes[0].value is None)
    ]
    assert memories()
    assert unbounded == []
