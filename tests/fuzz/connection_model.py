"""Random pipelines on one connection, against a model that knows the order of the answers.

    python -m tests.fuzz.connection_model --runs 1000000 [--seed 1]

Each run drives the real protocol class with real hot answers, in bytes and in files, over a pair of
sockets: HEAD, GET, ranges, conditions, offers, refusals, answers that take their time, requests cut
at random places, a client that reads when it likes. After each run the client has read all; what
it has must be the answers to its requests, each whole, in order, and nothing else. A difference
ends the program with the number of its run, which alone makes it again (`--seed N --runs 1`).
"""

import argparse
import asyncio
import random
import re
import time
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from typing import Any, Final, NamedTuple

import uvicorn
from uvicorn.server import ServerState

from gateway.guard.addresses import TrustedProxies
from gateway.guard.admission import AdmissionControl
from gateway.ops.record import RequestKind, RequestRecord
from gateway.ports import Place
from gateway.settings import LimitsSettings
from gateway.web.clients import Clients
from gateway.web.connection.http_connection import HEADS_PER_TURN
from gateway.web.hot.file_body import BodyWriter, FileBody
from gateway.web.hot.hot_connection import HotProtocol, protocol_with
from gateway.web.hot.responder import HotPath
from gateway.web.hot.table import HotEntry, HotTable
from gateway.web.observer import WriteLine
from tests.fakes.clock import FakeClock
from tests.fuzz.step_loop import Pair, StepLoop

MOST_REQUESTS: Final = 8  # of a run
MOST_STEPS: Final = 100_000  # of a run that hangs
HOST: Final = b"h"
SMALL: Final = b"a small hot body"
LARGE: Final = b"".join(b"%06d," % number for number in range(4000))  # 28,000 bytes
BODIES: Final = {b"/small": SMALL, b"/large": LARGE}
ETAG: Final = b'"etag"'


class Expected(NamedTuple):
    """One request, and what its answer must be."""

    sent: bytes
    status: int
    body: bytes
    length: int | None
    """Its Content-Length; None for chunks or a refusal, whose text is not looked at."""
    is_last: bool = False
    """Whether the connection ends with it."""
    has_body: bool = True
    """Whether bytes of a body follow the head."""


class Silence:
    """Observes nothing."""

    def request_started(self) -> None:
        return None

    def request_finished(self, record: RequestRecord) -> None:
        return None

    def counter(self, record: RequestRecord) -> Callable[[int], None]:
        return lambda _: None

    def line_writer(self, record: RequestRecord) -> WriteLine | None:
        return None


class Nowhere:
    """Knows no address."""

    def find(self, address: str) -> Place | None:
        return None


@cache
def plan(number: int) -> tuple[int, list[bytes], bool]:
    """Return status, pieces of the body and whether its length is told, of a slow answer."""
    made = random.Random(number)  # noqa: S311 (not for secrets)
    status = made.choice((200, 200, 200, 404, 502))
    pieces = [b"slow %d;" % number * made.choice((1, 20, 900)) for _ in range(made.randrange(4))]
    return status, pieces, made.random() < 0.7


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer `/slow/N` by its plan, with pauses, and what is hot elsewhere when it comes here."""
    chance = random.Random(scope["query_string"])  # noqa: S311 (not for secrets)
    watching = asyncio.create_task(_watch(receive)) if chance.random() < 0.5 else None
    for _ in range(chance.randrange(4)):
        await asyncio.sleep(0)
    status, headers, pieces = _answer(scope["path"].encode(), dict(scope["headers"]))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    for piece in pieces:
        for _ in range(chance.randrange(3)):
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
    if watching is not None:
        watching.cancel()


def _answer(
    path: bytes, fields: dict[bytes, bytes]
) -> tuple[int, list[tuple[bytes, bytes]], list[bytes]]:
    if path not in BODIES:
        status, pieces, is_told = plan(int(path.rpartition(b"/")[2]))
        headers = [(b"content-length", b"%d" % sum(map(len, pieces)))] if is_told else []
        if b"content-length" in fields or b"transfer-encoding" in fields:
            return 400, [*headers, (b"connection", b"close")], pieces  # as the real one does
        return status, headers, pieces
    if b"if-none-match" in fields:
        return 304, [], []
    body, status = BODIES[path], 200
    if b"range" in fields:
        start, stop = map(int, fields[b"range"].removeprefix(b"bytes=").split(b"-"))
        body, status = body[start : stop + 1], 206
    return status, [(b"content-length", b"%d" % len(body))], [body]


async def _watch(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _head(method: bytes, target: bytes, *lines: bytes, version: bytes = b"HTTP/1.1") -> bytes:
    return b"\r\n".join(
        (b"%b %b %b" % (method, target, version), b"Host: " + HOST, *lines, b"", b"")
    )


def _hot(chance: random.Random) -> Expected:
    """Return a request that is answered from the table."""
    target = chance.choice((b"/small", b"/small", b"/large"))
    body = BODIES[target]
    # Heads with a number of their own are parsed; others are known to the byte soon.
    lines = [b"Cookie: %d" % chance.randrange(1 << 60)] if chance.random() < 0.4 else []
    method, kind = chance.choice((b"GET", b"GET", b"HEAD")), chance.randrange(4)
    if kind == 0:
        sent = _head(method, target, *lines, b"If-None-Match: " + ETAG)
        return Expected(sent, 304, b"", None, has_body=False)
    start = chance.randrange(len(body))
    stop = chance.choice((start + 1, len(body), chance.randrange(start, len(body)) + 1))
    if kind == 1 and method == b"GET":
        sent = _head(method, target, *lines, b"Range: bytes=%d-%d" % (start, stop - 1))
        return Expected(sent, 206, body[start:stop], stop - start)
    sent = _head(method, target, *lines)
    return Expected(sent, 200, body, len(body), has_body=method == b"GET")


def _slow(chance: random.Random) -> Expected:  # noqa: PLR0911 (a table)
    """Return a request that the application answers."""
    number = chance.randrange(500)
    status, pieces, is_told = plan(number)
    body = b"".join(pieces)
    target = b"/slow/%d?%d" % (number, chance.randrange(1 << 30))
    made = Expected(_head(b"GET", target), status, body, len(body) if is_told else None)
    match chance.randrange(10):
        case 0:
            offer = (b"Connection: upgrade", b"Upgrade: h2c")
            return made._replace(sent=_head(b"GET", target, *offer))
        case 1:
            sent = _head(b"POST", target, b"Content-Length: 3") + b"abc"
            return made._replace(sent=sent, status=400, is_last=True)
        case 2:
            sent = _head(b"POST", target, b"Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n"
            return made._replace(sent=sent, status=400, is_last=True)
        case 3:
            return made._replace(sent=_head(b"GET", target, b"Connection: close"), is_last=True)
        case 4:
            sent = _head(b"GET", target, version=b"HTTP/1.0")
            return made._replace(sent=sent, is_last=True)
        case 5 | 6:
            return made._replace(sent=_head(b"HEAD", target), has_body=False)
        case _:
            return made


REFUSED: Final = tuple(
    Expected(sent, status, b"", None, is_last=True)
    for sent, status in (
        (b"GET /small\r\n\r\n", 400),
        (b"GET  /small HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /small HTTP/2.0\r\nHost: h\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
        (b"GET /small HTTP/1.1\r\nHost : h\r\n\r\n", 400),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 414),
        (b"GET /small HTTP/1.1\r\n" + b"X: y\r\n" * 150 + b"\r\n", 431),
    )
)


def requests_of(chance: random.Random) -> Iterator[Expected]:
    """Make up what one client asks for; nothing of it is read after the last one."""
    many = chance.random() < 0.01
    for _ in range(2 * HEADS_PER_TURN if many else chance.randint(1, MOST_REQUESTS)):
        made = chance.random()
        if made < 0.5 or (many and made < 0.99):
            yield _hot(chance)
        else:
            yield _slow(chance) if made < 0.95 else chance.choice(REFUSED)


def pieces_of(chance: random.Random, sent: bytes) -> list[bytes]:
    """Cut what is sent at random places, or not at all."""
    count = chance.choice((0, 0, 1, 2, 5))
    cuts = [0, *sorted(chance.randrange(len(sent)) for _ in range(count)), len(sent)]
    return [sent[start:stop] for start, stop in pairwise(cuts) if start < stop]


class Model:
    """Runs the protocol class against what it must answer."""

    def __init__(self) -> None:
        clock = FakeClock()
        table = HotTable(1 << 20, 1 << 20)
        for target, body in BODIES.items():
            table.put(target, HOST, b"", _entry(body))
        admission = AdmissionControl(LimitsSettings(requests=""), 1 << 30, clock)
        clients = Clients(TrustedProxies(), Nowhere())
        hot = HotPath(table, admission, clients, Silence(), clock)
        self._protocol: type[HotProtocol] = protocol_with(hot)
        self._config = uvicorn.Config(
            application, interface="asgi3", ws="none", log_config=None, access_log=False
        )
        self._config.load()

    def run(self, number: int) -> str:
        """Do the run of a number; return what is different, or nothing."""
        chance = random.Random(number)  # noqa: S311 (not for secrets)
        loop = StepLoop()  # type: ignore[abstract]  # what the protocol uses is there
        asyncio._set_running_loop(loop)
        expected = list(requests_of(chance))
        pair = Pair(loop, chance.choice((1, 1, 1 << 16)))
        protocol = self._protocol(self._config, ServerState(), {}, loop)
        try:
            pair.connect(protocol)
            pieces = pieces_of(chance, b"".join(request.sent for request in expected))
            if not _drive(chance, loop, pair, protocol, pieces):
                return "it hangs"
            return differences(bytes(pair.received), expected, is_closed=pair.is_lost) or str(
                loop.failures or ""
            )
        finally:
            pair.end()
            asyncio._set_running_loop(None)


def _entry(body: bytes) -> HotEntry:
    """Return an entry with a small body in memory, or a large one in a file."""
    after = b"etag: " + ETAG + b"\r\n"
    kept: bytes | FileBody = body
    if len(body) > len(SMALL):
        writer = BodyWriter()
        writer.write(body)
        kept = writer.finish()
    head = b"content-length: %d\r\n" % len(body) + after
    return HotEntry(head, (b"", after), after, ETAG, kept, "root", RequestKind.FILE)


def _drive(
    chance: random.Random, loop: StepLoop, pair: Pair, protocol: HotProtocol, pieces: list[bytes]
) -> bool:
    """Do whatever may happen in a random order, until nothing is left; False if that never is."""
    pieces.reverse()
    for _ in range(MOST_STEPS):
        may_arrive = bool(pieces) and pair.is_read and not pair.is_closing()
        made = chance.random()
        if may_arrive and made < 0.3:
            protocol.data_received(pieces.pop())
        elif loop.ready and made < 0.9:
            loop.step()
        elif not pair.read(chance.choice((100, 4096, 1 << 16))) and not loop.ready:
            if not may_arrive:
                return True
            protocol.data_received(pieces.pop())
    return False


def differences(received: bytes, expected: list[Expected], *, is_closed: bool) -> str:
    """Compare what came with what must come; return what is different, or nothing."""
    at = 0
    for place, request in enumerate(expected):
        end = received.find(b"\r\n\r\n", at) + 4
        if end < at + 4:
            return f"answer {place} to {request.sent[:60]!r} is missing: {received[at:][:80]!r}"
        head = received[at:end]
        at, problem = _compare(received, head, end, request)
        if problem:
            return f"answer {place} to {request.sent[:60]!r}: {problem}: {head!r}"
        if request.is_last:
            return "" if at == len(received) and is_closed else f"more came: {received[at:][:80]!r}"
    return "" if at == len(received) and not is_closed else f"more came: {received[at:][:80]!r}"


def _compare(received: bytes, head: bytes, at: int, request: Expected) -> tuple[int, str]:
    """Return where the answer ends, and what is wrong with it."""
    length = re.search(rb"\r\ncontent-length: (\d+)\r\n", head)
    told = None if length is None else int(length[1])
    is_refusal = request in REFUSED
    if not head.startswith(b"HTTP/1.1 %d " % request.status):
        return at, f"not {request.status}"
    if told != request.length and not is_refusal:
        return at, f"not of {request.length} bytes"
    if is_refusal or not request.has_body:
        return at + (told or 0) * is_refusal, ""
    body, at = _unchunk(received, at) if told is None else (received[at : at + told], at + told)
    return at, "" if body == request.body else f"another body, {body[:60]!r}"


def _unchunk(received: bytes, at: int) -> tuple[bytes, int]:
    body = b""
    while True:
        end = received.find(b"\r\n", at)
        size = int(received[at:end] or b"0", 16)
        body += received[end + 2 : end + 2 + size]
        at = end + 2 + size + 2
        if not size:
            return body, at


def main() -> None:
    """Run as often as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="number of the first run")
    told = parser.parse_args()
    model, began = Model(), time.monotonic()
    for number in range(told.seed, told.seed + told.runs):
        problem = model.run(number)
        if problem:
            raise SystemExit(f"run {number}: {problem}")
        if (number + 1) % 50_000 == 0:
            print(f"{number + 1} runs, {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201 (a program)
    print(f"{told.runs} runs, 0 differences, {time.monotonic() - began:.0f} s")  # noqa: T201


if __name__ == "__main__":
    main()
