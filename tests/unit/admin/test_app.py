from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.routing import Route

from gateway.admin.app import create_admin
from gateway.background import TaskRow
from gateway.ops.fleet import Answer, Order
from gateway.ops.overview import WorkerSnapshot
from tests.fakes.browser import ask
from tests.fakes.clock import FakeClock
from tests.fakes.workers import FakeFleet, upstream_row, worker_snapshot

TOKEN = "0123456789"  # noqa: S105 (made up)
KEY = [("Authorization", f"Bearer {TOKEN}")]
EJECTED = upstream_row("b", state="ejected", reason="mismatch")


def admin(
    *workers: WorkerSnapshot, token: str = "", is_ready: Callable[[], bool] = lambda: True
) -> Starlette:
    return create_admin(FakeFleet(*workers), token, is_ready, FakeClock())


WELL = admin(worker_snapshot(upstreams=[upstream_row("a")]))
ROUTES = [route for route in WELL.routes if isinstance(route, Route)]
PATHS = [route.path for route in ROUTES if "GET" in (route.methods or ())]
ORDERS = [route.path for route in ROUTES if "POST" in (route.methods or ())]


def test_the_pages_are_those_of_the_interface() -> None:
    assert sorted(PATHS) == [
        "/",
        "/api/v1/cache",
        "/api/v1/denylist",
        "/api/v1/pins",
        "/api/v1/upstreams",
        "/health",
        "/health/background",
        "/health/cache",
        "/health/cluster",
        "/health/ipfs",
        "/healthz",
        "/metrics",
        "/readyz",
    ]
    assert sorted(ORDERS) == ["/api/v1/pins", "/api/v1/purge", "/api/v1/warm"]


@pytest.mark.parametrize("path", ORDERS)
async def test_every_order_wants_the_token(path: str) -> None:
    locked = admin(worker_snapshot(), token=TOKEN)
    assert (await ask(locked, path, method="POST")).status_code == 401


@pytest.mark.parametrize("path", PATHS)
async def test_every_page_wants_the_token_but_the_one_that_says_alive(path: str) -> None:
    locked = admin(worker_snapshot(upstreams=[upstream_row("a")]), token=TOKEN)
    expected = 200 if path == "/healthz" else 401
    assert (await ask(locked, path)).status_code == expected
    assert (await ask(locked, path, KEY)).status_code == 200


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_every_page_can_be_read_and_is_not_stored(path: str, method: str) -> None:
    answer = await ask(WELL, path, method=method)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_no_page_can_be_written_by_a_form(path: str, method: str) -> None:
    expected = 415 if (path, method) == ("/api/v1/pins", "POST") else 405
    assert (await ask(WELL, path, method=method)).status_code == expected


@pytest.mark.parametrize(
    "path", ["/admin", "/metrics/", "/api/v1/purges", "/api/v1", "/docs", "//"]
)
async def test_unknown_paths_are_404_and_tell_the_known_ones(path: str) -> None:
    answer = await ask(WELL, path)
    assert answer.status_code == 404
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["pages"]["/metrics"]


async def test_unknown_paths_tell_nothing_without_the_token() -> None:
    answer = await ask(admin(token=TOKEN), "/unknown")
    assert answer.status_code == 401
    assert "/metrics" not in answer.text


async def test_metrics_are_of_prometheus() -> None:
    answer = await ask(WELL, "/metrics")
    names = {family.name for family in text_string_to_metric_families(answer.text)}
    assert "ipfs_http_gw_responses" in names
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


async def test_readiness_follows_the_gateway() -> None:
    states = [False, True, False]
    app = admin(is_ready=lambda: states.pop(0))
    answers = [await ask(app, "/readyz") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 200, 503]
    assert answers[0].json() == {"status": "not ready"}


async def test_alive_asks_no_worker() -> None:
    assert (await ask(admin(), "/healthz")).json() == {"status": "alive"}


@pytest.mark.parametrize(
    ("path", "rows", "status", "word"),
    [
        pytest.param("/health", [upstream_row("a")], 200, "healthy", id="well"),
        pytest.param("/health", [upstream_row("a"), EJECTED], 200, "degraded", id="one-ejected"),
        pytest.param("/health/ipfs", [EJECTED], 503, "unhealthy", id="all-ejected"),
        pytest.param("/health/cluster", [], 200, "healthy", id="no-cluster"),
        pytest.param("/health/cache", [], 200, "healthy", id="cache"),
        pytest.param("/health/background", [], 200, "healthy", id="background"),
    ],
)
async def test_health(path: str, rows: list[object], status: int, word: str) -> None:
    answer = await ask(admin(worker_snapshot(upstreams=rows)), path)  # type: ignore[arg-type]  # table
    assert answer.status_code == status
    assert answer.json()["status"] == word
    assert answer.json().keys() == {"status", "reason"}


async def test_the_figures_are_there() -> None:
    assert (await ask(WELL, "/api/v1/cache")).json()["hit_ratio"] == 0
    assert [row["name"] for row in (await ask(WELL, "/api/v1/upstreams")).json()] == ["a"]


async def test_the_start_page_is_html() -> None:
    answer = await ask(WELL, "/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "style-src 'sha256-" in answer.headers["content-security-policy"]


class BrokenFleet:
    """A fleet that cannot be asked."""

    async def snapshots(self) -> list[WorkerSnapshot]:
        raise RuntimeError("the secret reason")

    def tasks(self) -> list[TaskRow]:
        raise RuntimeError("the secret reason")

    async def order(self, order: Order) -> Answer:
        raise RuntimeError("the secret reason")

    async def order_rest(self, order: Order) -> list[Answer]:
        raise RuntimeError("the secret reason")


async def test_a_page_that_fails_keeps_the_reason_to_the_log() -> None:
    answer = await ask(create_admin(BrokenFleet(), "", lambda: True, FakeClock()), "/metrics")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.headers["cache-control"] == "no-store"
