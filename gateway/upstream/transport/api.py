"""A client for small answers of HTTP APIs: the operator's cluster, and untrusted routers.

As in `client`: no redirects, no decompression, no cookies, and a limit on every size and time.
"""

import asyncio
from base64 import b64encode
from functools import partial
from ssl import SSLContext
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from gateway import __version__
from gateway.errors import UpstreamRefused
from gateway.net.connector import blamed, open_session
from gateway.net.resend import Again

MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024  # 1,000 peers of a cluster with all their addresses
TIMEOUT_S: Final = 5.0  # for a whole answer


class ApiClient:
    """A client of one server.

    Args:
        name: of the server, in errors.
        url: scheme, host and port.
        credentials: user and password for basic authentication; empty for none.
        ssl: the trusted certificates; None for those of the system.
        resolver: resolves the host; None for the system's resolver.
    """

    def __init__(
        self,
        name: str,
        url: str,
        credentials: tuple[str, str] = ("", ""),
        ssl: SSLContext | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._name = name
        self._url = url
        self._headers = {"Accept-Encoding": "identity", "User-Agent": f"ipfs-gateway/{__version__}"}
        if any(credentials):
            token = b64encode(":".join(credentials).encode()).decode("ascii")
            self._headers["Authorization"] = f"Basic {token}"
        self._ssl = ssl
        self._resolver = resolver
        self._again = Again()
        self._session: aiohttp.ClientSession | None = None

    async def get(self, path: str, accept: str = "application/json") -> bytes | None:
        """Send a GET and return the body; None for 404.

        Raises:
            UpstreamError: no answer in time, one that is too large, or another status.
        """
        with blamed(self._name, TIMEOUT_S):
            if self._session is None:
                self._session = open_session(TIMEOUT_S, self._ssl, self._resolver)
            url = URL(self._url + path, encoded=True)
            headers = {**self._headers, "Accept": accept}
            until = asyncio.get_running_loop().time() + TIMEOUT_S
            send = partial(self._session.get, url, headers=headers, allow_redirects=False)
            response = await self._again.answer(self._name, send, until)
            async with asyncio.timeout_at(until), response:
                if response.status == 404:
                    return None
                if response.status != 200:
                    raise UpstreamRefused(
                        self._name, f"answered with status {response.status}", response.status
                    )
                return await self._read(response)

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for piece in response.content.iter_any():
            body += piece
            if len(body) > MAX_ANSWER_BYTES:
                raise UpstreamRefused(self._name, "sent a body of too many bytes", response.status)
        return bytes(body)

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None
