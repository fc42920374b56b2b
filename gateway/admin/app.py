"""The application of the admin listener.

Which address needs a token is decided by the settings: none is needed on loopback. Here a token
that is set is asked for on every page but `/healthz`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.admin.api import cache_figures, denylist_figures, upstream_rows
from gateway.admin.gate import Gate
from gateway.admin.orders import Orders
from gateway.admin.pages import START_POLICY, start_page
from gateway.admin.reply import json_response, raw_response
from gateway.ops import metrics
from gateway.ops.fleet import Fleet, look_over
from gateway.ops.health import PARTS, HealthVerdict, judge
from gateway.ops.overview import Overview, Status
from gateway.ports import Clock

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Page:
    """What is at one path."""

    text: str
    """In words, for people."""
    handler: Handler
    methods: tuple[str, ...] = ("GET", "HEAD")


def create_admin(fleet: Fleet, token: str, is_ready: Callable[[], bool], clock: Clock) -> Starlette:
    """Return the application.

    Args:
        fleet: all workers.
        token: asked for on every page but `/healthz`; empty for none.
        is_ready: whether the gateway takes requests now; false while it starts and drains.
        clock: for the rate of orders.
    """
    pages = _pages(fleet, is_ready) | _orders(Orders(fleet, clock))
    methods = {path: page.methods for path, page in pages.items()}
    texts = {path: page.text for path, page in pages.items()}

    async def start(_: Request) -> Response:
        html = start_page(await look_over(fleet), texts)
        policy = [("Content-Security-Policy", START_POLICY)]
        return raw_response(html.encode(), "text/html; charset=utf-8", headers=policy)

    async def not_found(_: Request, __: Exception) -> Response:
        return json_response({"error": "there is no such page", "pages": texts}, 404)

    async def failed(_: Request, __: Exception) -> Response:
        return json_response({"error": "this page failed; the log says why"}, 500)

    app = Starlette(
        routes=[
            Route("/", start),
            *[Route(path, page.handler, methods=page.methods) for path, page in pages.items()],
        ],
        middleware=[Middleware(Gate, token=token, methods=methods)],
        exception_handlers={404: not_found, Exception: failed},
    )
    app.router.redirect_slashes = False
    return app


def _pages(fleet: Fleet, is_ready: Callable[[], bool]) -> dict[str, Page]:
    async def healthz(_: Request) -> Response:
        return json_response({"status": "alive"})

    async def readyz(_: Request) -> Response:
        ready = is_ready()
        return json_response({"status": "ready" if ready else "not ready"}, 200 if ready else 503)

    async def metrics_page(_: Request) -> Response:
        page = metrics.render(await look_over(fleet))
        return raw_response(page, metrics.CONTENT_TYPE)

    async def cache(_: Request) -> Response:
        return json_response(cache_figures(await look_over(fleet)))

    async def upstreams(_: Request) -> Response:
        return json_response(upstream_rows(await look_over(fleet)))

    async def denylist(_: Request) -> Response:
        return json_response(denylist_figures(await look_over(fleet)))

    health = {
        f"/health/{name}": Page(f"how the part `{name}` is", _health(fleet, part))
        for name, part in PARTS.items()
    }
    return {
        "/metrics": Page("everything that is counted, for Prometheus", metrics_page),
        "/healthz": Page("the process is alive", healthz),
        "/readyz": Page("200 when requests are taken, 503 when not", readyz),
        "/health": Page("how the whole is, and why", _health(fleet, judge)),
        **health,
        "/api/v1/cache": Page("the cache in numbers", cache),
        "/api/v1/upstreams": Page("the upstreams, a row each", upstreams),
        "/api/v1/denylist": Page("what is blocked: files, rules, and lines left out", denylist),
    }


def _orders(orders: Orders) -> dict[str, Page]:
    return {
        "/api/v1/purge": Page('take out blocks: POST {"cids": [...]}', orders.purge, ("POST",)),
        "/api/v1/warm": Page('fetch DAGs ahead: POST {"cids": [...]}', orders.warm, ("POST",)),
        "/api/v1/pins": Page(
            'the roots that stay; POST {"add": [...], "remove": [...]}',
            orders.pins,
            ("GET", "HEAD", "POST"),
        ),
    }


def _health(fleet: Fleet, part: Callable[[Overview], HealthVerdict]) -> Handler:
    async def answer(_: Request) -> Response:
        verdict = part(await look_over(fleet))
        status = 503 if verdict.status is Status.UNHEALTHY else 200
        return json_response(verdict, status)

    return answer
