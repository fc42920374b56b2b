"""A content listener over blocks in memory, on a real socket."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import uvicorn
from uvicorn.server import ServerState

from gateway.content.block import Block
from gateway.content.build import Built, build_directory, build_file, collect
from gateway.content.cid import DAG_CBOR
from gateway.guard.addresses import TrustedProxies
from gateway.guard.admission import AdmissionControl
from gateway.guard.connections import ConnectionLimit
from gateway.ops.record import RequestRecord
from gateway.pipeline import Pages, Pipeline
from gateway.ports import Place
from gateway.processes.listeners import open_listener
from gateway.processes.serving import Serving
from gateway.settings import HostSettings, LimitsSettings
from gateway.web.app import ContentEndpoint, create_content_app
from gateway.web.clients import Clients
from gateway.web.hot.body_builder import Filler
from gateway.web.hot.hot_connection import HotProtocol, protocol_with
from gateway.web.hot.recorder import HotRecorder
from gateway.web.hot.responder import HotPath
from gateway.web.hot.table import HotTable
from gateway.web.pages.document import PreviewPage
from gateway.web.pages.listing import ListingPage
from gateway.web.routing import Router
from tests.fakes.blocks import block_of
from tests.fakes.clock import FakeClock
from tests.fakes.documents import encode_cbor
from tests.fakes.names import TableNames
from tests.fakes.source import DictRetriever
from tests.fakes.store import DictStore

PAGE = b"<html>hello</html>"
KEY = "k51qzi5uqu5dk3v4rmjber23h16xnr23bsggmqqil9z2gduiis5se8dht36dam"
RECORD = b"a record, signed"
HOSTS = {
    "gateway.example": HostSettings(),
    "paths.example": HostSettings(subdomains=False, paths=("/ipfs",)),
    "trustless.example": HostSettings(subdomains=False, dnslink=False, deserialized=False),
    "site.example": HostSettings(),
    "blocks.example": HostSettings(subdomains=False, deserialized=False),
}


class Records:
    """Remembers the records of requests."""

    def __init__(self) -> None:
        self.started = 0
        self.finished: list[RequestRecord] = []
        self.has_finished = asyncio.Event()
        self.then: Callable[[], None] | None = None
        """Done once, in the moment in which a request has finished."""

    def request_started(self) -> None:
        self.started += 1

    def request_finished(self, record: RequestRecord) -> None:
        self.finished.append(record)
        self.has_finished.set()
        then, self.then = self.then, None
        if then is not None:
            then()

    def counter(self, record: RequestRecord) -> Callable[[int], None]:
        def count(times: int) -> None:
            self.started += times
            self.finished += [record] * times

        return count

    def line_writer(self, record: RequestRecord) -> None:
        return None


class Wire(asyncio.Transport):
    """Keeps what is sent."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.sent = b""
        self.has_sent = asyncio.Event()
        self.was_aborted = asyncio.Event()
        self.unsent_bytes = 0
        self.is_read = True
        self._is_closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += data
        self.has_sent.set()

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        self._is_closing = True

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True

    def get_write_buffer_size(self) -> int:
        return self.unsent_bytes

    def abort(self) -> None:
        self._is_closing = True
        self.was_aborted.set()


class Nowhere:
    """Knows no address."""

    def find(self, address: str) -> Place | None:
        return None


class Listening:
    """A listener and what stands behind it."""

    def __init__(self, limits: LimitsSettings | None = None, *, is_hot: bool = True) -> None:
        clock = self.clock = FakeClock()
        page, blocks = collect(build_file(PAGE))
        root, more = collect(build_directory([("index.html", page), ("a.txt", page)]))
        self.root = str(root.cid)
        document = block_of(encode_cbor({"a": root.cid, "b": {"c": 1}}), DAG_CBOR)
        self.document = str(document.cid)
        self.blocks = [*blocks, *more, document]
        self.records = Records()
        self.table = HotTable(1 << 20 if is_hot else 0, 32 << 20 if is_hot else 0)
        self._store = DictStore(self.blocks)
        self.retriever = DictRetriever(self.blocks, self.blocks)
        admission = self.admission = AdmissionControl(
            limits or LimitsSettings(requests=""), 100, clock
        )
        clients = Clients(TrustedProxies.parse(("127.0.0.1",)), Nowhere())
        hot = HotPath(self.table, admission, clients, self.records, clock)
        names_of_root = ("site.example", "blocks.example", KEY)
        targets = dict.fromkeys(names_of_root, f"/ipfs/{self.root}")
        names = self.names = TableNames(targets, records={KEY: RECORD})
        pages = Pages(ListingPage(), PreviewPage())
        pipeline = Pipeline(self.retriever, self._store, names, pages)
        router = Router(clients, HOSTS, names)
        self.filler = Filler(pipeline, 32 << 20 if is_hot else 0)
        keep = HotRecorder(self.table, self.filler).keep
        self.endpoint = ContentEndpoint(router, pipeline, admission, self.records, clock, keep)
        self._listener = open_listener("127.0.0.1:0")
        self.port: int = self._listener.socket.getsockname()[1]
        self._app = create_content_app(self.endpoint)
        self.connections = ConnectionLimit(0, 200, clients.trusted, clock)
        self._http_protocol = protocol_with(hot, self.connections)
        self._wired: list[HotProtocol] = []

    def add(self, *built: tuple[Built, list[Block]]) -> str:
        """Have what was built, too; returns the CID of the first."""
        self.have(*[block for _, blocks in built for block in blocks])
        return str(built[0][0].cid)

    def have(self, *blocks: Block) -> None:
        """Have blocks, too."""
        for block in blocks:
            self.retriever.near[block.cid.multihash] = block
            self.retriever.far[block.cid.multihash] = block
            self._store.blocks[block.cid.multihash] = block

    def add_website(self, redirects: bytes) -> str:
        """Have a website with a `_redirects` file; returns its root."""
        page, gone = collect(build_file(PAGE)), collect(build_file(b"it is gone"))
        index, rules = collect(build_file(b"in the folder")), collect(build_file(redirects))
        folder = collect(build_directory([("index.html", index[0])]))
        names = (
            ("page.html", page),
            ("gone.html", gone),
            ("folder", folder),
            ("_redirects", rules),
        )
        root = collect(build_directory([(name, built[0]) for name, built in names]))
        return self.add(root, page, gone, index, folder, rules)

    def forget(self, *blocks: Block) -> None:
        """Have blocks nowhere any more."""
        for block in blocks:
            del self.retriever.near[block.cid.multihash]
            del self.retriever.far[block.cid.multihash]

    async def start(self) -> None:
        self._serving = await Serving.start(self._app, self._listener, self._http_protocol)

    async def stop(self) -> None:
        for protocol in self._wired:
            protocol.connection_lost(None)
        await self.filler.close()
        await self._serving.drain()

    async def cut(self) -> None:
        """Stop without the tenths of a second in which what is under way may end."""
        await self.filler.close()
        self._serving.cut()
        await self._serving.ended()

    def wire(self) -> "tuple[Wire, HotProtocol]":
        """Connect without a socket: what is received and when is the test's."""
        config = uvicorn.Config(self._app, interface="asgi3", log_config=None, access_log=False)
        config.load()
        protocol = self._http_protocol(config=config, server_state=ServerState(), app_state={})
        wire = Wire()
        protocol.connection_made(wire)
        self._wired.append(protocol)
        return wire, protocol

    async def answered(self, wire: "Wire") -> None:
        """Wait until something was sent, and end the connection."""
        async with asyncio.timeout(5):
            await wire.has_sent.wait()
        for protocol in self._wired:
            await asyncio.gather(*protocol.tasks)

    async def send(self, data: bytes) -> bytes:
        """Send bytes on a connection of their own and return all that comes back."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            async with asyncio.timeout(5):
                return await reader.read()
        finally:
            writer.close()

    async def get(
        self, target: str, *lines: str, method: str = "GET", host: str = "example.com"
    ) -> bytes:
        """Send a well-formed request that closes its connection; return the whole answer."""
        head = [f"{method} {target} HTTP/1.1", f"Host: {host}", *lines, "Connection: close"]
        return await self.send("\r\n".join((*head, "", "")).encode("latin-1"))


@pytest.fixture(name="listening")
async def listening_fixture() -> AsyncIterator[Listening]:
    listening = Listening()
    await listening.start()
    yield listening
    await listening.stop()
