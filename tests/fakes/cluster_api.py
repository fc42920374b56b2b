"""The REST API of an IPFS Cluster on loopback, as far as the gateway asks it."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self


def peer(name: str, *addresses: str, error: str = "", ipfs_error: str = "") -> dict[str, Any]:
    """Make a record of `/peers`; its ids are made of its name."""
    return {
        "id": f"id-of-{name}",
        "peername": name,
        "error": error,
        "ipfs": {
            "id": f"kubo-of-{name}",
            "addresses": [f"{address}/p2p/kubo-of-{name}" for address in addresses],
            "error": ipfs_error,
        },
    }


class ClusterApi:
    """Answers with what it was given; use as `async with`."""

    def __init__(
        self, peers: Sequence[Mapping[str, Any]] = (), allocations: Mapping[str, Sequence[str]] = {}
    ) -> None:
        self.peers = list(peers)
        self.allocations = allocations
        self.status = 200
        self.log: list[str] = []
        """Heads of requests."""
        self.url = ""
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
        self.log.append(head)
        status, body = self._answer(head.split(" ")[1])
        fields = f"connection: close\r\ncontent-length: {len(body)}"
        writer.write(f"HTTP/1.1 {status} X\r\n{fields}\r\n\r\n".encode() + body)
        writer.close()

    def _answer(self, path: str) -> tuple[int, bytes]:
        if self.status != 200:
            return self.status, b"{}"
        if path == "/peers":
            return 200, "".join(json.dumps(record) + "\n" for record in self.peers).encode()
        cid = path.removeprefix("/allocations/")
        if cid not in self.allocations:
            return 404, b'{"code":404,"message":"pin is not part of the pinset"}'
        return 200, json.dumps({"cid": cid, "allocations": self.allocations[cid]}).encode()
