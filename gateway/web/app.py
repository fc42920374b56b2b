"""The content listener's application: one Starlette app, one endpoint that routes by raw path.

The gateway decodes `raw_path` itself, once: in `scope["path"]` `%2f` has become a slash, and all
invalid UTF-8 the same character.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping

from starlette.applications import Starlette
from starlette.routing import Route

from gateway.errors import BadRequest, Denied, GatewayError, TooManyRequests
from gateway.ops.record import Outcome
from gateway.pipeline import Pipeline, Reply
from gateway.ports import Admission, Clock
from gateway.protocol.answer import Answer
from gateway.protocol.headers import Headers
from gateway.protocol.request import GatewayRequest
from gateway.web.exchange import Exchange, request_ids
from gateway.web.observer import RequestObserver
from gateway.web.problem import problem_answer
from gateway.web.routing import Router
from gateway.web.send import Message, Receive, Scope, Send, Watch, request_target, send_reply
from gateway.web.upstream_fields import debug_field, timing_field

OnServed = Callable[[Scope, GatewayRequest, Reply], None]
"""Called after each reply that was sent whole, so that the hot table can keep it."""

_FRAMING = frozenset(("Host", "body"))
"""An error in one of these may be request smuggling: the gateway closes the connection."""
_LOG = logging.getLogger("gateway.web")


class ContentEndpoint:
    """Answers every request of the content listener.

    Args:
        router: finds the host, site and content path of each request.
        pipeline: makes replies.
        admission: applies the rate limit and the limit on concurrent requests.
        observer: receives the record of each request.
        clock: monotonic and wall time.
        on_served: called after each reply that was sent whole.
    """

    tells_choices = False
    """Whether answers have `X-Ipfs-Upstream`."""

    def __init__(
        self,
        router: Router,
        pipeline: Pipeline,
        admission: Admission,
        observer: RequestObserver,
        clock: Clock,
        on_served: OnServed,
    ) -> None:
        self._router = router
        self._clients = router.clients
        self._pipeline = pipeline
        self._admission = admission
        self._observer = observer
        self._clock = clock
        self._on_served = on_served
        self._next_id = request_ids()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; pure ASGI."""
        started = self._clock.monotonic()
        exchange = self._open_exchange(scope)
        watch = Watch(receive)
        self._observer.request_started()

        async def timed_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.ttfb_s = self._clock.monotonic() - started
                message["headers"] += self._told(exchange)
            await send(message)

        try:
            await self._admit(scope, exchange, timed_send, watch)
        except asyncio.CancelledError:
            exchange.note_client_left()
            if not watch.has_left:
                raise
        finally:
            watch.stop()
            exchange.duration_s = self._clock.monotonic() - started
            self._observer.request_finished(exchange.record())

    def _told(self, exchange: Exchange) -> Headers:
        """Return `Server-Timing` and, if it is switched on, `X-Ipfs-Upstream`."""
        timing = timing_field(exchange.ttfb_s, exchange.fetch_s, exchange.choices)
        if exchange.choices and self.tells_choices:
            return timing, debug_field(exchange.choices)
        return (timing,)

    def _open_exchange(self, scope: Scope) -> Exchange:
        forwarded: list[str] = []
        agent = referer = b""
        for name, value in scope["headers"]:
            if name == b"x-forwarded-for":
                forwarded.append(value.decode("latin-1"))
            elif name == b"user-agent":
                agent = value
            elif name == b"referer":
                referer = value
        peer = scope["client"]
        return Exchange(
            client=self._clients.address(peer[0] if peer else None, forwarded),
            method=scope["method"],
            target=request_target(scope),
            request_id=self._next_id(),
            started=self._clock.now(),
            user_agent=agent,
            referer=referer,
        )

    async def _admit(self, scope: Scope, exchange: Exchange, send: Send, watch: Watch) -> None:
        try:
            limits = self._admission.admit(exchange.client)
        except TooManyRequests as error:
            reply = Reply(_problem(scope, exchange, error))
            await self._send(reply, _fields(error.fields), exchange, send, watch)
            return
        try:
            await self._respond(scope, _fields(limits), exchange, send, watch)
        finally:
            self._admission.release()

    async def _respond(
        self, scope: Scope, fields: Headers, exchange: Exchange, send: Send, watch: Watch
    ) -> None:
        request: GatewayRequest | None = None
        try:
            asked = await self._router.route(scope)
            if isinstance(asked, GatewayRequest):
                request = asked
                exchange.root = request.path.root_name
                place = self._clients.place(exchange.client)
                reply = await self._pipeline.reply(request, place, watch.start)
            else:
                reply = Reply(asked)
        except Exception as error:  # noqa: BLE001 (the one place that turns errors into answers)
            reply = Reply(_problem(scope, exchange, error))
            if isinstance(error, BadRequest) and error.name in _FRAMING:
                fields = (*fields, (b"connection", b"close"))
        exchange.note_reply(reply, request)
        try:
            await self._send(reply, fields, exchange, send, watch)
        finally:
            await reply.close()
        if request is not None and exchange.outcome is Outcome.COMPLETE:
            self._on_served(scope, request, reply)

    async def _send(
        self, reply: Reply, fields: Headers, exchange: Exchange, send: Send, watch: Watch
    ) -> None:
        def count(size_bytes: int) -> None:
            exchange.sent_bytes += size_bytes

        exchange.status = reply.answer.status
        try:
            await send_reply(reply, fields, send, watch, count)
        except GatewayError as error:
            # Returning with the body incomplete makes the server close the connection.
            exchange.outcome = Outcome.TRUNCATED
            exchange.error = str(error)


def _problem(scope: Scope, exchange: Exchange, error: Exception) -> Answer:
    """Make the answer for an error, and record the error."""
    exchange.error = f"{type(error).__name__}: {error}"
    if isinstance(error, Denied):
        exchange.error += f" ({error.where})"
    if not isinstance(error, GatewayError):
        _LOG.error("a request failed: %r", exchange.target, exc_info=error)
    accept = b",".join(value for name, value in scope["headers"] if name == b"accept")
    answer = problem_answer(error, accept.decode("latin-1"), is_head=exchange.method == "HEAD")
    return answer.plus(((b"x-request-id", exchange.request_id.encode()),))


def _fields(limits: Mapping[str, str]) -> Headers:
    return tuple([(name.encode(), value.encode()) for name, value in limits.items()])


def create_content_app(endpoint: ContentEndpoint) -> Starlette:
    """Make the Starlette application around the endpoint."""
    app = Starlette(routes=[Route("/{path:path}", endpoint)])
    app.router.redirect_slashes = False  # Starlette answers 307; the specification demands 301
    app.router.default = endpoint  # for targets without a slash, such as `*`
    return app
