"""The orders of operators: purge, warm and pin, by JSON in and JSON out.

Only whole CIDs are taken: no prefix, no path, no pattern. Each order is counted against a rate and
written to the log, with whoever gave it.
"""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway.admin.reply import PROTECTION, json_response
from gateway.client_table import ClientTable
from gateway.content.cid import parse_cid
from gateway.errors import BadCid
from gateway.guard.limits import Rate, TokenBuckets
from gateway.ops.fleet import Answer, Fleet
from gateway.ports import Clock

MAX_CIDS: Final = 1000
"""CIDs in one order; their longest text is 256 characters, so that all fit the body."""
MAX_BODY_BYTES: Final = 512 * 1024
RATE: Final = Rate(60, 60)
BURST: Final = 30
"""Orders of all operators together: enough for scripts, too few to keep the disk busy."""
PROGRESS_S: Final = 0.25
"""How often the progress of a warm order is told."""
_ENDED: Final = frozenset(("done", "failed", "cancelled"))

_log = logging.getLogger("gateway.audit")


class BadOrder(Exception):
    """An order that is not carried out."""

    def __init__(self, status: int, reason: str, retry_after_s: int = 0) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.retry_after_s = retry_after_s

    def answer(self) -> Response:
        """Return it as JSON."""
        fields = [("Retry-After", str(self.retry_after_s))] if self.retry_after_s else []
        return json_response({"error": self.reason}, self.status, fields)


class Orders:
    """Handlers of the pages that change something.

    Args:
        fleet: all workers.
        clock: for the rate of orders.
    """

    def __init__(self, fleet: Fleet, clock: Clock) -> None:
        self._fleet = fleet
        self._clock = clock
        self._buckets = TokenBuckets(RATE, BURST, ClientTable.private(slots=1024))
        self._purging = asyncio.Lock()

    async def purge(self, request: Request) -> Response:
        """Take blocks out everywhere; answered when all workers have dropped them."""
        try:
            body = await self._read(request, {"cids", "recursive"})
            cids, is_recursive = _read_cids(body, "cids"), _read_flag(body, "recursive")
            order = {"do": "purge", "cids": cids, "recursive": is_recursive}
            async with self._purging:
                answer = await self._fleet.order(order)
                rest = await self._fleet.order_rest({**order, "do": "follow-purge"})
            _audit(request, "purge", cids, answer)
            _refuse_failure(answer)
        except BadOrder as exc:
            return exc.answer()
        unconfirmed = [told["error"] for told in rest if "error" in told]
        return json_response({**answer, "unconfirmed": unconfirmed})

    async def pins(self, request: Request) -> Response:
        """List the pins; with POST change them first."""
        try:
            if request.method == "POST":
                body = await self._read(request, {"add", "remove"})
                add, remove = _read_cids(body, "add"), _read_cids(body, "remove")
                order = {"do": "change-pins", "add": add, "remove": remove}
                answer = await self._fleet.order(order)
                _audit(request, "pin", add, answer)
                _audit(request, "unpin", remove, answer)
            else:
                answer = await self._fleet.order({"do": "pins"})
            _refuse_failure(answer)
        except BadOrder as exc:
            return exc.answer()
        return json_response(answer["pins"])

    async def warm(self, request: Request) -> Response:
        """Fetch DAGs one after the other; tells the progress as lines of JSON while it lasts.

        It ends when the client leaves. What was fetched stays.
        """
        try:
            body = await self._read(request, {"cids"})
            cids = _read_cids(body, "cids")
        except BadOrder as exc:
            return exc.answer()
        _audit(request, "warm", cids, {})
        lines = self._warm_all(cids)
        return StreamingResponse(lines, headers=PROTECTION, media_type="application/x-ndjson")

    async def _warm_all(self, cids: Sequence[str]) -> AsyncIterator[bytes]:
        for cid in cids:
            async for progress in self._warm(cid):
                yield orjson.dumps(progress, option=orjson.OPT_APPEND_NEWLINE)

    async def _warm(self, cid: str) -> AsyncIterator[Answer]:
        begun = await self._fleet.order({"do": "warm", "cid": cid})
        if "error" in begun:
            yield {"cid": cid, "state": "failed", "reason": begun["error"]}
            return
        job = begun["job"]
        is_running = True
        try:
            while is_running:
                told = await self._fleet.order({"do": "job", "job": job})
                if "error" in told:
                    told = {"cid": cid, "state": "failed", "reason": told["error"]}
                is_running = told["state"] not in _ENDED
                yield told
                if is_running:
                    await asyncio.sleep(PROGRESS_S)
        finally:
            if is_running:
                await self._fleet.order({"do": "cancel", "job": job})

    async def _read(self, request: Request, known: set[str]) -> dict[str, Any]:
        """Read the body of an order.

        Raises:
            BadOrder: too many orders, too large, not JSON, or an unknown key.
        """
        wait_s, _ = self._buckets.take("", self._clock.monotonic())
        if wait_s:
            raise BadOrder(429, "too many orders in a short time", math.ceil(wait_s))
        raw = b""
        async for part in request.stream():
            raw += part
            if len(raw) > MAX_BODY_BYTES:
                raise BadOrder(413, f"an order has at most {MAX_BODY_BYTES} bytes")
        try:
            body = orjson.loads(raw)
        except ValueError:
            raise BadOrder(400, "the body is not JSON") from None
        if not isinstance(body, dict):
            raise BadOrder(400, "the body is not an object")
        if unknown := sorted(body.keys() - known):
            raise BadOrder(400, f"unknown key {unknown[0]!r}; known are {sorted(known)}")
        return body


def _read_cids(body: dict[str, Any], name: str) -> list[str]:
    texts = body.get(name, [])
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise BadOrder(400, f"{name!r} is a list of CIDs")
    if len(texts) > MAX_CIDS:
        raise BadOrder(400, f"{name!r} has more than {MAX_CIDS} CIDs")
    for text in texts:
        try:
            parse_cid(text)
        except BadCid as exc:
            raise BadOrder(400, f"{text[:80]!r} is not a CID: {exc.reason}") from None
    return texts


def _read_flag(body: dict[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise BadOrder(400, f"{name!r} is true or false")
    return value


def _refuse_failure(answer: Answer) -> None:
    if "error" in answer:
        raise BadOrder(503, answer["error"])


def _audit(request: Request, action: str, cids: Sequence[str], answer: Answer) -> None:
    client = request.client.host if request.client else "a Unix socket"
    outcome = f" failed: {answer['error']}" if "error" in answer else ""
    for cid in cids:
        _log.info("%s of %s by %s%s", action, cid, client, outcome)
