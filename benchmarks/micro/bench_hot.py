"""What the gateway's own code costs for a hot answer, without the kernel.

    python -m benchmarks.micro.bench_hot

Heads are handed to the connection protocol of the real gateway, over a transport that throws away
what is written. Prints the best of many batches in CPU time, so that neighbours on the machine
count as little as can be. Limits and statistics are on.
"""

import asyncio
import os
import time
from typing import Any, Literal, NamedTuple

import uvicorn
from uvicorn.server import ServerState

from gateway.guard.addresses import TrustedProxies
from gateway.guard.admission import AdmissionControl
from gateway.ops.clock import SystemClock
from gateway.ops.logs import Logs
from gateway.ops.record import RequestKind
from gateway.ops.statistics import Statistics
from gateway.ports import Place
from gateway.settings import LimitsSettings, LogSettings
from gateway.web.clients import Clients
from gateway.web.hot.hot_connection import HotProtocol, protocol_with
from gateway.web.hot.responder import HotPath
from gateway.web.hot.table import HotEntry, HotTable
from gateway.wiring.app import RequestLog

BATCHES = 41
REQUESTS = 2000
_TARGET = b"/ipfs/bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi/10240.bin"
_FIELDS = b"x-a-field: with a value of the usual length, in all 30\r\n" * 12


Style = Literal["json", "off"]


class Case(NamedTuple):
    """One kind of hot answer."""

    name: str
    us: float


class _Nowhere:
    def find(self, address: str) -> Place | None:  # noqa: ARG002 (port)
        return None


class _Sink(asyncio.Transport):
    """Takes everything and keeps nothing."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("192.0.2.1", 1234) if name == "peername" else default

    def write(self, data: Any) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        pass


def _connect(style: Style) -> HotProtocol:
    clock = SystemClock()
    table = HotTable(1 << 20)
    host = b"127.0.0.1:8080"
    entry = HotEntry(
        head=_FIELDS,
        head_around=(b"", _FIELDS),
        head_unchanged=_FIELDS,
        etag=b'"x"',
        body=bytes(10240),
        root="bafkqaaa",
        kind=RequestKind.FILE,
    )
    table.put(_TARGET, host, b"", entry)
    limits = LimitsSettings(requests="1000000/second", burst=1_000_000)
    logs = Logs(LogSettings(access=style), os.open(os.devnull, os.O_WRONLY))
    hot = HotPath(
        table,
        AdmissionControl(limits, 4096, clock),
        Clients(TrustedProxies(), _Nowhere()),
        RequestLog(Statistics(), logs),
        clock,
    )
    config = uvicorn.Config(_no_app, interface="asgi3", log_config=None, access_log=False)
    config.load()  # makes the protocol class ready
    state = ServerState()
    state.default_headers = [(b"date", b"Sat, 28 Nov 2026 12:00:00 GMT")]
    protocol = protocol_with(hot)(config=config, server_state=state, app_state={})
    protocol.connection_made(_Sink())
    return protocol


async def _no_app(_scope: Any, _receive: Any, _send: Any) -> None:
    raise AssertionError("the slow path was taken")


def _best_us(protocol: HotProtocol, heads: list[bytes]) -> float:
    batches: list[float] = []
    for _ in range(BATCHES):
        started = time.thread_time()
        for head in heads:
            protocol.data_received(head)
        batches.append(time.thread_time() - started)
    return min(batches) / len(heads) * 1e6


async def measure() -> list[Case]:
    """Measure a head that is known, and one that never comes again, with each kind of log."""
    found: list[Case] = []
    styles: tuple[Style, ...] = ("off", "json")
    for style in styles:
        same = b"GET %b HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n" % _TARGET
        # bytes of their own, as they come from a socket: their hash is worked out each time
        known = [bytes(bytearray(same)) for _ in range(REQUESTS)]
        other = [
            b"GET %b HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nCookie: %d\r\n\r\n" % (_TARGET, number)
            for number in range(REQUESTS)
        ]
        found.append(Case(f"known head, log {style}", _best_us(_connect(style), known)))
        found.append(Case(f"parsed head, log {style}", _best_us(_connect(style), other)))
    return found


if __name__ == "__main__":
    for case in asyncio.run(measure()):
        print(f"{case.name:28} {case.us:6.2f} us")
