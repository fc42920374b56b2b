"""Orders over HTTP: exact CIDs, a rate, and a line in the log for each."""

import logging

import httpx
import orjson
import pytest
from starlette.applications import Starlette
from starlette.types import Message

from gateway.admin.app import create_admin
from gateway.admin.orders import BURST, MAX_BODY_BYTES, MAX_CIDS
from tests.fakes.blocks import numbered
from tests.fakes.clock import FakeClock
from tests.fakes.workers import FakeFleet

CID = str(numbered(1, 8).cid)
OTHER = str(numbered(2, 8).cid)
ROW = {"cid": CID, "blocks": 1, "bytes": 8, "pinned": 0, "holes": 0, "whole": True}


@pytest.fixture(name="fleet")
def fleet_fixture() -> FakeFleet:
    fleet = FakeFleet()
    fleet.answers["purge"] = {"purged": [ROW]}
    fleet.answers["change-pins"] = {"pins": []}
    fleet.answers["warm"] = {"job": 7}
    fleet.answers["job"] = {"cid": CID, "state": "done", "bytes": 8}
    return fleet


@pytest.fixture(name="app")
def app_fixture(fleet: FakeFleet) -> Starlette:
    return create_admin(fleet, "", lambda: True, FakeClock())


async def post(app: Starlette, path: str, body: object) -> httpx.Response:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    transport = httpx.ASGITransport(app, client=("10.0.0.9", 5))
    async with httpx.AsyncClient(transport=transport) as client:
        fields = {"content-type": "application/json"}
        return await client.post(f"http://127.0.0.1:8081{path}", content=raw, headers=fields)


async def test_a_purge_reaches_one_worker_and_then_the_rest(
    app: Starlette, fleet: FakeFleet
) -> None:
    answer = await post(app, "/api/v1/purge", {"cids": [CID], "recursive": True})
    assert answer.json() == {"purged": [ROW], "unconfirmed": []}
    assert fleet.orders == [
        {"do": "purge", "cids": [CID], "recursive": True},
        {"do": "follow-purge", "cids": [CID], "recursive": True},
    ]


async def test_workers_that_do_not_confirm_a_purge_are_told(
    app: Starlette, fleet: FakeFleet
) -> None:
    fleet.rest = [{"error": "the worker does not answer"}, {}]
    answer = await post(app, "/api/v1/purge", {"cids": [CID]})
    assert answer.json()["unconfirmed"] == ["the worker does not answer"]


@pytest.mark.parametrize("path", ["/api/v1/purge", "/api/v1/pins"])
async def test_what_the_cache_cannot_do_is_503(app: Starlette, fleet: FakeFleet, path: str) -> None:
    failure = {"error": "the disk is read-only"}
    fleet.answers = {"purge": failure, "change-pins": failure}
    answer = await post(app, path, {})
    assert (answer.status_code, answer.json()) == (503, {"error": "the disk is read-only"})


async def test_pins_are_changed_and_listed(app: Starlette, fleet: FakeFleet) -> None:
    answer = await post(app, "/api/v1/pins", {"add": [CID], "remove": [OTHER]})
    assert answer.json() == []
    assert fleet.orders == [{"do": "change-pins", "add": [CID], "remove": [OTHER]}]


async def test_a_warm_order_tells_its_progress_in_lines(app: Starlette, fleet: FakeFleet) -> None:
    answer = await post(app, "/api/v1/warm", {"cids": [CID, OTHER]})
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["cache-control"] == "no-store"
    lines = [orjson.loads(line) for line in answer.text.splitlines()]
    assert lines == [{"cid": CID, "state": "done", "bytes": 8}] * 2
    assert [order["do"] for order in fleet.orders] == ["warm", "job", "warm", "job"]


@pytest.mark.parametrize("step", ["warm", "job"])
async def test_a_warm_order_that_fails_says_why(
    app: Starlette, fleet: FakeFleet, step: str
) -> None:
    fleet.answers[step] = {"error": "too many"}
    (line,) = (await post(app, "/api/v1/warm", {"cids": [CID]})).text.splitlines()
    assert orjson.loads(line) == {"cid": CID, "state": "failed", "reason": "too many"}


async def test_a_warm_order_ends_when_its_client_leaves(app: Starlette, fleet: FakeFleet) -> None:
    fleet.answers["job"] = {"cid": CID, "state": "running"}
    body: list[Message] = [{"type": "http.request", "body": orjson.dumps({"cids": [CID]})}]
    left = {"type": "http.disconnect"}

    async def receive() -> Message:
        return body.pop() if body else left

    async def send(_: object) -> None:
        return

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/v1/warm",
        "raw_path": b"/api/v1/warm",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
        "server": ("127.0.0.1", 1),
        "client": None,
    }
    await app(scope, receive, send)
    assert fleet.orders[-1] == {"do": "cancel", "job": 7}


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        pytest.param(b"{", 400, "not JSON", id="not-json"),
        pytest.param(b"[]", 400, "not an object", id="no-object"),
        pytest.param({"cid": CID}, 400, "unknown key 'cid'", id="unknown-key"),
        pytest.param({"cids": CID}, 400, "a list of CIDs", id="no-list"),
        pytest.param({"cids": [1]}, 400, "a list of CIDs", id="no-text"),
        pytest.param({"cids": ["*"]}, 400, "'*' is not a CID", id="star"),
        pytest.param({"cids": [CID[:20]]}, 400, "is not a CID", id="prefix"),
        pytest.param({"cids": [f"/ipfs/{CID}"]}, 400, "is not a CID", id="path"),
        pytest.param({"cids": [""]}, 400, "is not a CID", id="empty"),
        pytest.param({"cids": [CID] * (MAX_CIDS + 1)}, 400, "more than 1000", id="too-many"),
        pytest.param({"cids": [CID], "recursive": 1}, 400, "true or false", id="no-flag"),
        pytest.param(b" " * (MAX_BODY_BYTES + 1), 413, "at most", id="too-large"),
    ],
)
async def test_only_whole_cids_are_taken(
    app: Starlette, fleet: FakeFleet, body: object, status: int, reason: str
) -> None:
    answer = await post(app, "/api/v1/purge", body)
    assert answer.status_code == status
    assert reason in answer.json()["error"]
    assert fleet.orders == []


async def test_a_warm_order_with_a_wrong_cid_is_refused(app: Starlette) -> None:
    assert (await post(app, "/api/v1/warm", {"cids": ["x"]})).status_code == 400


async def test_too_many_orders_in_a_short_time_are_refused(app: Starlette) -> None:
    statuses = [
        (await post(app, "/api/v1/purge", {"cids": [CID]})).status_code for _ in range(BURST)
    ]
    refused = await post(app, "/api/v1/purge", {"cids": [CID]})
    assert statuses == [200] * BURST
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")


async def test_every_order_is_in_the_log(
    app: Starlette, fleet: FakeFleet, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gateway.audit")
    await post(app, "/api/v1/pins", {"add": [CID], "remove": [OTHER]})
    await post(app, "/api/v1/warm", {"cids": [CID]})
    fleet.answers["purge"] = {"error": "no"}
    await post(app, "/api/v1/purge", {"cids": [CID]})
    assert [record.getMessage() for record in caplog.records] == [
        f"pin of {CID} by 10.0.0.9",
        f"unpin of {OTHER} by 10.0.0.9",
        f"warm of {CID} by 10.0.0.9",
        f"purge of {CID} by 10.0.0.9 failed: no",
    ]
