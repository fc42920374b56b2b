"""Every kind of request, sent both ways: what the hot path answers is what the slow path would."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from enum import StrEnum
from hashlib import shake_256
from itertools import permutations
from types import MappingProxyType
from typing import Final, NamedTuple

import pytest

from gateway.content.build import build_directory, build_file, collect
from gateway.ops.record import RequestRecord
from gateway.settings import LimitsSettings
from tests.unit.web.conftest import PAGE, Listening

LARGE = shake_256(b"a film").digest(1_500_003)  # two leaves: a file that the kernel sends
PAGE_FILE, LARGE_FILE = collect(build_file(PAGE)), collect(build_file(LARGE))
EMPTY_FILE = collect(build_file(b""))
FIELD_NAME = f"content-length: {len(PAGE)}"  # `X-Ipfs-Path` ends with it (issue 12, 2)
ROOT = collect(
    build_directory(
        [
            ("index.html", PAGE_FILE[0]),
            ("a.txt", PAGE_FILE[0]),
            ("naïve b.txt", PAGE_FILE[0]),
            ("empty", EMPTY_FILE[0]),
            ("large.bin", LARGE_FILE[0]),
            (FIELD_NAME, PAGE_FILE[0]),
        ]
    )
)

PER_REQUEST: Final[Mapping[bytes, str]] = MappingProxyType(
    {
        b"date": "the second in which it was sent",
        b"server-timing": "how long it took",
        b"cache-status": "the tier that it came from, which is what is compared",
        b"ratelimit-remaining": "each request takes one",
        b"ratelimit-reset": "so that it takes longer until all are back",
        b"x-request-id": "the name of the one request that failed, to find in the log",
    }
)
"""Fields whose values may differ between two answers to one request, and why. They must be there
both times all the same, and in the same place."""


class Answer(NamedTuple):
    """One answer, taken apart."""

    status: bytes
    fields: list[tuple[bytes, bytes]]
    size_bytes: int
    digest: str
    """Of the body: pytest would explain a difference of megabytes for minutes."""

    @property
    def alike(self) -> "Answer":
        """What must be the same whichever way it was made."""
        fields = [(name, b"" if name in PER_REQUEST else value) for name, value in self.fields]
        return self._replace(fields=fields)

    @property
    def is_hot(self) -> bool:
        return b"detail=hot" in dict(self.fields).get(b"cache-status", b"")


class Both:
    """A listener with something of each kind."""

    def __init__(self) -> None:
        self.listening = Listening(LimitsSettings(requests="600/minute", burst=100))
        self.root = self.listening.add(ROOT, PAGE_FILE, LARGE_FILE, EMPTY_FILE)
        self.names = {
            "root": self.root,
            "leaf": str(LARGE_FILE[1][0].cid),
            "document": self.listening.document,
        }

    def request(self, method: str, host: str, target: str, *lines: str, etag: bytes = b"") -> bytes:
        """Return a request for something of this listener."""
        text = "\r\n".join((f"{method} {target} HTTP/1.1", f"Host: {host}", *lines, "", ""))
        return text.format(etag=etag.decode(), **self.names).encode()

    async def ask(self, sent: bytes) -> list[Answer]:
        """Send requests on a connection of their own; return all that comes back."""
        port = self.listening.port
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2 << 20)
        try:
            writer.write(sent)
            async with asyncio.timeout(10):
                methods = re.findall(rb"^(GET|HEAD|POST) ", sent, re.MULTILINE)
                answers = [await read_answer(reader, method) for method in methods]
                writer.write_eof()
                assert await reader.read() == b""
        finally:
            writer.close()
        return answers

    async def warm(self, plain: bytes) -> bytes:
        """Ask for something until it is kept, if it ever is; return its entity tag."""
        await self.ask(plain)
        (answer,) = await self.ask(plain)
        await self.listening.filler.settle()
        return dict(answer.fields).get(b"etag", b"")

    async def records(self, count: int) -> list[RequestRecord]:
        """Return what was noted of the last requests, once all have ended."""
        records = self.listening.records
        async with asyncio.timeout(5):
            while len(records.finished) < records.started:
                records.has_finished.clear()
                await records.has_finished.wait()
        return [without_times(record) for record in records.finished[-count:]]


async def read_answer(reader: asyncio.StreamReader, method: bytes) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).removesuffix(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    fields = [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]
    told, code = dict(fields), status.split(b" ")[1]
    body = b""
    if method != b"HEAD" and code not in (b"204", b"304"):
        is_chunked = told.get(b"transfer-encoding") == b"chunked"
        size = int(told.get(b"content-length", 0))
        body = await (
            reader.readuntil(b"\r\n0\r\n\r\n") if is_chunked else reader.readexactly(size)
        )
    return Answer(status, fields, len(body), hashlib.sha256(body).hexdigest())


def without_times(record: RequestRecord) -> RequestRecord:
    """Drop what may differ between two requests: their times and names, and the tier."""
    return record._replace(
        started=0, duration_s=0, ttfb_s=0, request_id="", tier="", choices=tuple(record.choices)
    )


@pytest.fixture(name="both")
async def both_fixture() -> AsyncIterator[Both]:
    both = Both()
    await both.listening.start()
    yield both
    await both.listening.cut()


class Target(NamedTuple):
    """Something that is kept when it is asked for again, and how it is asked for."""

    host: str
    path: str
    lines: tuple[str, ...] = ()
    names_format: bool = False


class How(StrEnum):
    """The way that a request must take once everything is kept."""

    HOT = "hot"
    SLOW = "slow"
    NAMED = "hot where the target names the format, so that Accept changes nothing"


HOT, SLOW, NAMED = How
RAW = "Accept: application/vnd.ipld.raw"
SITE = "{root}.ipfs.gateway.example"
TARGETS: Final = {
    "small": Target("example.com", "/ipfs/{root}/a.txt"),
    "large": Target("example.com", "/ipfs/{root}/large.bin"),
    "index": Target("example.com", "/ipfs/{root}/"),
    "escaped": Target("example.com", "/ipfs/{root}/na%C3%AFve%20b.txt"),
    "file-name": Target("example.com", "/ipfs/{root}/a.txt?filename=b%20c.txt"),
    "download": Target("example.com", "/ipfs/{root}/large.bin?download=true"),
    "named-like-a-field": Target("example.com", "/ipfs/{root}/" + FIELD_NAME.replace(" ", "%20")),
    "site": Target(SITE, "/a.txt"),
    "site-large": Target(SITE, "/large.bin"),
    "host-for-paths": Target("paths.example", "/ipfs/{root}/a.txt"),
    "raw": Target("example.com", "/ipfs/{root}/", (RAW,)),
    "raw-large": Target("example.com", "/ipfs/{leaf}", (RAW,)),
    "raw-named": Target("example.com", "/ipfs/{root}/a.txt?format=raw", names_format=True),
    "raw-named-twice": Target("example.com", "/ipfs/{leaf}?format=raw", (RAW,), names_format=True),
    "raw-trustless": Target("trustless.example", "/ipfs/{root}", (RAW,)),
    "raw-site": Target(SITE, "/a.txt", (RAW,)),
}

BROWSER = "Accept: text/html,application/xhtml+xml,image/webp,*/*;q=0.8"
ASKED: Final[Mapping[str, tuple[str, tuple[str, ...], How]]] = {
    "plain": ("GET", (), HOT),
    "head": ("HEAD", (), HOT),
    "unchanged": ("GET", ("If-None-Match: {etag}",), HOT),
    "head-unchanged": ("HEAD", ("If-None-Match: {etag}",), HOT),
    "any-version": ("GET", ("If-None-Match: *",), SLOW),
    "weak-version": ("GET", ("If-None-Match: W/{etag}",), SLOW),
    "one-of-versions": ("GET", ('If-None-Match: "x", {etag}',), SLOW),
    "changed": ("GET", ('If-None-Match: "x"',), SLOW),
    "if-match": ("GET", ("If-Match: {etag}",), SLOW),
    "if-match-of-another": ("GET", ('If-Match: "x"',), SLOW),
    "range": ("GET", ("Range: bytes=2-4",), HOT),
    "one-byte": ("GET", ("Range: bytes=0-0",), HOT),
    "open-range": ("GET", ("Range: bytes=3-",), HOT),
    "all-of-it": ("GET", ("Range: bytes=0-",), HOT),
    "last-bytes": ("GET", ("Range: bytes=-5",), HOT),
    "more-last-bytes-than-there-are": ("GET", ("Range: bytes=-9999999",), HOT),
    "range-beyond-the-end": ("GET", ("Range: bytes=4-9999999",), HOT),
    "other-unit": ("GET", ("Range: lines=1-2",), HOT),
    "malformed-range": ("GET", ("Range: bytes=5-2",), HOT),
    "several-ranges": ("GET", ("Range: bytes=0-1,5-6",), SLOW),
    "two-range-fields": ("GET", ("Range: bytes=0-1", "Range: bytes=5-6"), SLOW),
    "no-such-range": ("GET", ("Range: bytes=9999999-",), SLOW),
    "head-of-a-range": ("HEAD", ("Range: bytes=1-2",), HOT),
    "range-unchanged": ("GET", ("Range: bytes=0-1", "If-None-Match: {etag}"), HOT),
    "range-of-this-version": ("GET", ("Range: bytes=0-1", "If-Range: {etag}"), SLOW),
    "range-of-another": ("GET", ("Range: bytes=0-1", 'If-Range: "x"'), SLOW),
    "curl": ("GET", ("User-Agent: curl/8.5.0", "Accept: */*"), HOT),
    "browser": ("GET", (BROWSER, "Cookie: a=1", "Cookie: b=2", "Referer: r", "DNT: 1"), HOT),
    "image": ("GET", ("Accept: image/avif,image/webp,*/*;q=0.5",), HOT),
    "a-library": ("GET", ("Accept: application/json, text/plain, */*",), NAMED),
    "car": ("GET", ("Accept: application/vnd.ipld.car",), NAMED),
    "html-or-car": ("GET", ("Accept: text/html, application/vnd.ipld.car",), NAMED),
    "json": ("GET", ("Accept: application/json",), NAMED),
    "unknown-format": ("GET", ("Accept: application/vnd.ipld.unheard-of",), NAMED),
    "two-accept-fields": ("GET", ("Accept: */*", "Accept: application/vnd.ipld.raw"), SLOW),
    "behind-a-proxy": ("GET", ("X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https"), HOT),
    "behind-two-proxies": ("GET", ("X-Forwarded-For: 192.0.2.7, 127.0.0.1",), HOT),
    "for-another-host": ("GET", ("X-Forwarded-Host: other.example",), SLOW),
    "only-if-cached": ("GET", ("Cache-Control: only-if-cached",), SLOW),
    "reload": ("GET", ("Cache-Control: no-cache", "Pragma: no-cache"), SLOW),
    "service-worker": ("GET", ("Service-Worker: script",), SLOW),
    "body-of-no-bytes": ("GET", ("Content-Length: 0",), SLOW),
    "unheard-of-field": ("GET", ("X-Unheard-Of: 1",), SLOW),
    "other-method": ("POST", (), SLOW),
}
"""How else it may be asked for: method, more fields, and the way that this takes."""

ROWS: Final = [
    pytest.param(where, how, id=f"{where}-{how}")
    for where, target in TARGETS.items()
    for how, (_, lines, _) in ASKED.items()
    if not target.lines or not any(line.startswith("Accept: ") for line in lines)
]


@pytest.mark.parametrize(("where", "how"), ROWS)
async def test_a_request_is_answered_alike_both_ways(both: Both, where: str, how: str) -> None:
    """Slow while nothing is kept; then parsed twice, and known to the byte when it is hot."""
    target, (method, lines, way) = TARGETS[where], ASKED[how]
    is_hot = way is HOT or (way is NAMED and target.names_format)
    plain = both.request("GET", target.host, target.path, *target.lines)
    etag = await both.warm(plain)
    request = both.request(method, target.host, target.path, *target.lines, *lines, etag=etag)
    both.listening.table.clear()
    (slow,) = await both.ask(request)
    (noted,) = await both.records(1)
    await both.warm(plain)
    parsed = [*await both.ask(request), *await both.ask(request)]
    assert (request in both.listening.table.heads.ready) is is_hot
    later = [*parsed, *await both.ask(request)]
    assert [answer.alike for answer in later] == [slow.alike] * 3
    assert [slow.is_hot, *(answer.is_hot for answer in later)] == [False] + [is_hot] * 3
    both.listening.table.heads.settle()
    assert await both.records(3) == [noted] * 3


SMALL = "GET /ipfs/{root}/a.txt HTTP/1.1\r\nHost: example.com\r\n"
BIG = "GET /ipfs/{root}/large.bin HTTP/1.1\r\nHost: example.com\r\n"
OTHERS: Final[Mapping[str, list[tuple[str, bool]]]] = {
    "no-bytes": [("GET /ipfs/{root}/empty HTTP/1.1\r\nHost: example.com\r\n", True)],
    "host-in-capitals": [("GET /ipfs/{root}/a.txt HTTP/1.1\r\nHost: EXAMPLE.com\r\n", True)],
    "host-with-port": [("GET /ipfs/{root}/a.txt HTTP/1.1\r\nHost: example.com:80\r\n", True)],
    "address-for-host": [("GET /ipfs/{root}/a.txt HTTP/1.1\r\nHost: [::1]:8080\r\n", True)],
    "site-in-capitals": [("GET /a.txt HTTP/1.1\r\nHost: {root}.ipfs.GATEWAY.example\r\n", False)],
    "host-told-by-a-proxy": [(SMALL + "X-Forwarded-Host: example.com\r\n", True)],
    "site-told-by-a-proxy": [
        (f"GET /a.txt HTTP/1.1\r\nHost: example.com\r\nX-Forwarded-Host: {SITE}\r\n", False)
    ],
    "needless-escape": [("GET /ipfs/{root}/%61.txt HTTP/1.1\r\nHost: example.com\r\n", True)],
    "absolute-form": [("GET http://h/ipfs/{root}/a.txt HTTP/1.1\r\nHost: example.com\r\n", False)],
    "empty-query": [("GET /ipfs/{root}/a.txt? HTTP/1.1\r\nHost: example.com\r\n", False)],
    "fragment": [("GET /ipfs/{root}/a.txt#x HTTP/1.1\r\nHost: example.com\r\n", False)],
    "other-query": [("GET /ipfs/{root}/a.txt?x=1&y HTTP/1.1\r\nHost: example.com\r\n", True)],
    "no-keep-alive": [(SMALL + "Connection: close\r\n", False)],
    "keep-alive": [(SMALL + "Connection: keep-alive\r\n", True)],
    "first-version": [("GET /ipfs/{root}/a.txt HTTP/1.0\r\nHost: example.com\r\n", False)],
    "upgrade": [(SMALL + "Connection: upgrade\r\nUpgrade: h2c\r\n", False)],
    "car": [("GET /ipfs/{root}?format=car HTTP/1.1\r\nHost: example.com\r\n", False)],
    "document": [("GET /ipfs/{document} HTTP/1.1\r\nHost: example.com\r\n", False)],
    "page-of-a-document": [
        (f"GET /ipfs/{{document}} HTTP/1.1\r\nHost: example.com\r\n{BROWSER}\r\n", False)
    ],
    "redirect": [("GET /ipfs/{root} HTTP/1.1\r\nHost: example.com\r\n", False)],
    "not-there": [("GET /ipfs/{root}/nope HTTP/1.1\r\nHost: example.com\r\n", False)],
    "website-of-a-name": [("GET /a.txt HTTP/1.1\r\nHost: site.example\r\n", False)],
    "file-on-a-trustless-host": [
        ("GET /ipfs/{root}/a.txt HTTP/1.1\r\nHost: trustless.example\r\n", False)
    ],
    "landing-page": [("GET / HTTP/1.1\r\nHost: example.com\r\n", False)],
    "pipelined": [(SMALL, True), (SMALL, True)],
    "pipelined-kinds": [(SMALL, True), (f"HEAD{SMALL[3:]}", True), (SMALL, True)],
    "pipelined-behind-a-file": [(BIG, True), (SMALL, True), (BIG, True)],
    "pipelined-before-a-file": [(SMALL, True), (BIG, True)],
    "pipelined-behind-the-slow": [(SMALL + "X-Unheard-Of: 1\r\n", False), (SMALL, True)],
    "pipelined-behind-a-slow-head": [
        (f"HEAD{SMALL[3:]}X-Unheard-Of: 1\r\n", False),
        (BIG, True),
        (SMALL, True),
    ],
    "pipelined-behind-an-offer": [
        (SMALL + "Connection: upgrade\r\nUpgrade: h2c\r\n", False),
        (SMALL, True),
    ],
    "pipelined-and-closed": [(SMALL, True), (BIG + "Connection: close\r\n", False)],
}
"""Requests that follow each other on one connection, and which of them are answered hot."""


@pytest.mark.parametrize("how", OTHERS)
async def test_connections_are_answered_alike_both_ways(both: Both, how: str) -> None:
    """Slow one by one, each while nothing is kept; then all of them at once."""
    requests = [f"{head}\r\n".format(**both.names).encode() for head, _ in OTHERS[how]]
    slow: list[Answer] = []
    for request in requests:
        both.listening.table.clear()
        slow += await both.ask(request)
    noted = await both.records(len(slow))
    for request in requests * 2:
        await both.ask(request)
        await both.listening.filler.settle()
    both.listening.table.heads.settle()
    later = await both.ask(b"".join(requests))
    assert [answer.alike for answer in later] == [answer.alike for answer in slow]
    assert [answer.is_hot for answer in later] == [is_hot for _, is_hot in OTHERS[how]]
    both.listening.table.heads.settle()
    # Those of known heads are counted together, a moment later.
    assert sorted(await both.records(len(later))) == sorted(noted)


@pytest.mark.parametrize("accepts", list(permutations(("*/*", "application/vnd.ipld.raw"))))
@pytest.mark.parametrize("path", ["/ipfs/{root}/", "/ipfs/{root}/large.bin", "/ipfs/{leaf}"])
async def test_files_and_raw_blocks_are_never_taken_for_each_other(
    both: Both, path: str, accepts: tuple[str, str]
) -> None:
    """Whichever of the two is asked for first, slow and hot and in turns."""
    requests = [both.request("GET", "example.com", path, f"Accept: {text}") for text in accepts]
    slow: list[Answer] = []
    for request in requests:
        slow += await both.ask(request)
        both.listening.table.clear()
    for request in requests:
        await both.warm(request)
    hot = [answer for _ in range(4) for request in requests for answer in await both.ask(request)]
    assert [answer.alike for answer in hot] == [answer.alike for answer in slow] * 4
    assert all(answer.is_hot for answer in hot)
    assert len({dict(answer.fields)[b"etag"] for answer in slow}) == 2


@pytest.mark.parametrize("raw", ["/ipfs/{root}?format=raw", "/ipfs/{root}/a.txt?format=raw"])
async def test_a_trustless_host_has_no_files_of_others(both: Both, raw: str) -> None:
    path = "/ipfs/{root}/a.txt"
    for host in ("example.com", "trustless.example"):
        await both.warm(both.request("GET", host, raw))
        await both.warm(both.request("GET", host, path))
    (block,) = await both.ask(both.request("GET", "trustless.example", raw))
    (file,) = await both.ask(both.request("GET", "trustless.example", path))
    assert block.is_hot
    assert file.status == b"HTTP/1.1 406 Not Acceptable"


async def test_a_request_without_a_host_is_refused_whatever_is_kept(both: Both) -> None:
    old = b"GET /ipfs/%b/a.txt HTTP/1.0\r\n\r\n" % both.root.encode()
    await both.warm(old)
    (answer,) = await both.ask(old.replace(b"1.0", b"1.1"))
    assert answer.status == b"HTTP/1.1 400 Bad Request"


async def test_what_a_host_is_told_to_be_says_nothing_of_the_host(both: Both) -> None:
    """A proxy may tell a host that is not in `Host`: that one redirects, asked for itself."""
    told = "X-Forwarded-Host: example.com"
    await both.warm(both.request("GET", "site.example", "/ipfs/{root}/a.txt", told))
    (answer,) = await both.ask(both.request("GET", "site.example", "/ipfs/{root}/a.txt"))
    assert answer.status == b"HTTP/1.1 301 Moved Permanently"
