"""What is sent to upstreams and what is taken of the heads of their answers."""

import pytest

from gateway.content.cid import DAG_PB, parse_cid
from gateway.content.walk import Scope, Want
from gateway.errors import BlockAbsent, UpstreamRefused
from gateway.upstream.transport.request import (
    CarPlan,
    Step,
    car_target,
    check_head,
    is_single_block,
    parse_retry_after,
    plan_of,
    raw_target,
    record_target,
    routing_target,
)
from tests.fakes.blocks import alias
from tests.refusal import check_refused

CID = parse_cid("bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e")
NODE = alias(CID, DAG_PB)
NOW = 1_700_000_000.0
TAIL = "&car-version=1&car-order=dfs&car-dups=y"


def test_target_of_a_block() -> None:
    assert raw_target(CID) == f"/ipfs/{CID}?format=raw"


@pytest.mark.parametrize(
    ("plan", "target"),
    [
        pytest.param(CarPlan(CID), "?format=car&dag-scope=block", id="block"),
        pytest.param(CarPlan(CID, (), Scope.ALL), "?format=car&dag-scope=all", id="all"),
        pytest.param(CarPlan(CID, (), Scope.ENTITY), "?format=car&dag-scope=entity", id="entity"),
        pytest.param(
            CarPlan(CID, (), Scope.ENTITY, 5, 10),
            "?format=car&dag-scope=entity&entity-bytes=5:9",
            id="range",
        ),
        pytest.param(
            CarPlan(CID, (), Scope.ENTITY, 5),
            "?format=car&dag-scope=entity&entity-bytes=5:*",
            id="open-range",
        ),
        pytest.param(
            CarPlan(CID, (), Scope.ENTITY, -5, -2),
            "?format=car&dag-scope=entity&entity-bytes=-5:-3",
            id="from-the-end",
        ),
        pytest.param(
            CarPlan(CID, ("a b", "ü/?#%")),
            "/a%20b/%C3%BC%2F%3F%23%25?format=car&dag-scope=block",
            id="path",
        ),
    ],
)
def test_target_of_a_car(plan: CarPlan, target: str) -> None:
    assert car_target(plan) == f"/ipfs/{CID}{target}{TAIL}"


def test_plan_of_a_node_in_a_file_counts_from_the_file() -> None:
    want = Want(CID, (), Scope.ENTITY, 100, 200, NODE, (CID,), 0)
    assert plan_of(want) == CarPlan(NODE, (), Scope.ENTITY, 100, 200)


def test_plan_of_a_path_counts_from_its_cid() -> None:
    assert plan_of(Want(NODE, ("a",), Scope.ENTITY)) == CarPlan(NODE, ("a",), Scope.ENTITY)


@pytest.mark.parametrize(
    ("want", "is_single"),
    [
        pytest.param(Want(NODE), True, id="block"),
        pytest.param(Want(NODE, (), Scope.ENTITY), False, id="entity"),
        pytest.param(Want(CID, (), Scope.ENTITY), True, id="raw-leaf-alone"),
        pytest.param(Want(CID, (), Scope.ENTITY, root=NODE), False, id="raw-leaf-of-a-file"),
        pytest.param(Want(NODE, ("a",)), False, id="path"),
    ],
)
def test_single_block(want: Want, is_single: bool) -> None:  # noqa: FBT001 (a table)
    assert is_single_block(want) is is_single


CAR = {"Content-Type": "application/vnd.ipld.car; version=1"}
RAW = {"Content-Type": "application/vnd.ipld.raw"}
RECORD = {"Content-Type": "application/vnd.ipfs.ipns-record"}


@pytest.mark.parametrize(
    ("step", "headers"),
    [
        pytest.param(Step.CAR, CAR, id="car"),
        pytest.param(Step.RAW, RAW, id="raw"),
        pytest.param(Step.RAW, {"Content-Type": "Application/Octet-Stream"}, id="octets"),
        pytest.param(Step.RAW, {**RAW, "Content-Length": "2097152"}, id="2-mib"),
        pytest.param(Step.RAW, {**RAW, "Content-Encoding": "Identity"}, id="identity"),
        pytest.param(Step.CAR, {**CAR, "Content-Length": "9999999999"}, id="long-car"),
    ],
)
def test_good_heads_are_taken(step: Step, headers: dict[str, str]) -> None:
    check_head("u", CID, step, 200, headers, NOW)


@pytest.mark.parametrize(
    ("step", "headers", "reason"),
    [
        pytest.param(Step.CAR, {}, "no type", id="no-type"),
        pytest.param(Step.CAR, RAW, "vnd.ipld.raw", id="raw-for-car"),
        pytest.param(Step.RAW, CAR, "vnd.ipld.car", id="car-for-raw"),
        pytest.param(Step.RAW, {"Content-Type": "text/html"}, "text/html", id="html"),
        pytest.param(Step.RAW, {**RAW, "Content-Encoding": "gzip"}, "gzip", id="gzip"),
        pytest.param(Step.RAW, {**RAW, "Content-Encoding": "x" * 99}, "encoding", id="odd"),
        pytest.param(Step.RAW, {**RAW, "Content-Length": "2097153"}, "2097153", id="too-long"),
        pytest.param(Step.RAW, {**RAW, "Content-Length": "-1"}, "-1", id="negative"),
        pytest.param(Step.RECORD, {**RECORD, "Content-Length": "10241"}, "10241", id="record"),
        pytest.param(Step.RECORD, {"Content-Type": "text/plain"}, "text/plain", id="ipip-513"),
        pytest.param(Step.RAW, {**RAW, "Content-Length": "9" * 9999}, "999", id="endless"),
    ],
)
def test_bad_heads_are_refused(step: Step, headers: dict[str, str], reason: str) -> None:
    check_refused(UpstreamRefused, reason, check_head, "u", CID, step, 200, headers, NOW)


@pytest.mark.parametrize("status", [404, 410, 451])
def test_absence_is_an_answer(status: int) -> None:
    check_refused(
        BlockAbsent, f"u does not have {CID}", check_head, "u", CID, Step.RAW, status, {}, NOW
    )


@pytest.mark.parametrize("status", [201, 203, 204, 206, 299, 301, 302, 304, 400, 403, 418, 500])
def test_only_200_is_taken(status: int) -> None:
    with pytest.raises(UpstreamRefused, match=f"status {status}") as caught:
        check_head("u", CID, Step.RAW, status, RAW, NOW)
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("location", "told"),
    [
        pytest.param(
            f"http://{CID}.ipfs.localhost:8080/?format=raw",
            f"answered with status 301, which redirects to 'http://{CID}.ipfs.localhost:8080/?format=raw'"
            ": by the name localhost it is a subdomain gateway; "
            "write http://127.0.0.1:8080 as its url",
            id="kubo-by-the-name-localhost",
        ),
        pytest.param(
            f"http://{CID}.ipfs.localhost/", "write http://127.0.0.1 as its url", id="no-port"
        ),
        pytest.param(
            f"https://{CID}.ipfs.gw.example/",
            "by the name gw.example it is a subdomain gateway; write another name of it, or its "
            "address, as its url",
            id="subdomain-gateway",
        ),
        pytest.param(
            f"https://gw.example/ipfs/{CID}", "write https://gw.example as its url", id="https"
        ),
        pytest.param("", "answered with status 301", id="nowhere"),
        pytest.param("/elsewhere", "answered with status 301", id="relative"),
        pytest.param("http://[a", "answered with status 301", id="nonsense"),
        pytest.param("http://a\udcff/", "answered with status 301", id="no-text"),
        pytest.param("http://a:99999/", "answered with status 301", id="port"),
    ],
)
def test_a_redirect_says_what_to_write_instead(location: str, told: str) -> None:
    """issue 12, 32."""
    with pytest.raises(UpstreamRefused) as caught:
        check_head("u", CID, Step.RAW, 301, {"Location": location}, NOW)
    assert caught.value.reason.endswith(told)


def test_a_redirect_is_told_in_a_line_of_text() -> None:
    with pytest.raises(UpstreamRefused) as caught:
        check_head("u", CID, Step.RAW, 302, {"Location": "http://a/\n\udcff" + "x" * 5000}, NOW)
    assert caught.value.reason.isprintable()
    assert len(caught.value.reason) < 400


def test_retry_after_is_told() -> None:
    with pytest.raises(UpstreamRefused, match="status 429") as caught:
        check_head("u", CID, Step.RAW, 429, {"Retry-After": "7"}, NOW)
    assert caught.value.retry_after_s == 7


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        pytest.param(None, None, id="absent"),
        pytest.param(" 120 ", 120.0, id="seconds"),
        pytest.param("9" * 5000, 999_999_999.0, id="many-digits"),
        pytest.param("Tue, 14 Nov 2023 22:14:20 GMT", 60.0, id="date"),
        pytest.param("Tue, 14 Nov 2023 22:14:20 -0000", 60.0, id="date-without-zone"),
        pytest.param("Mon, 01 Jan 2001 00:00:00 GMT", 0.0, id="past"),
        pytest.param("soon", None, id="word"),
        pytest.param("-5", None, id="negative"),
        pytest.param("", None, id="empty"),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


def test_target_of_a_record() -> None:
    assert record_target(CID) == f"/ipns/{CID}?format=ipns-record"
    assert routing_target(CID) == f"/routing/v1/ipns/{CID}"
