"""Requests to an application in this process."""

from collections.abc import Sequence

import httpx
from starlette.types import ASGIApp

Fields = Sequence[tuple[str, str | bytes]]


async def ask(
    app: ASGIApp, target: str, fields: Fields = (), method: str = "GET", host: str = "127.0.0.1"
) -> httpx.Response:
    """Send one request; fields may repeat, and are sent as they are."""
    raw = [
        (name.encode(), value if isinstance(value, bytes) else value.encode())
        for name, value in fields
    ]
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport) as client:
        return await client.request(method, f"http://{host}:8081{target}", headers=raw)
