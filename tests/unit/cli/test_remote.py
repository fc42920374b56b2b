"""Orders to an admin listener, and what it says to them."""

from collections.abc import Iterator

import pytest

from gateway.cli.remote import connect, follow, order
from gateway.errors import CannotStart
from tests.fakes.admin import Admin, serving


@pytest.fixture(name="admin")
def admin_fixture() -> Iterator[Admin]:
    with serving() as admin:
        yield admin


def test_an_order_is_sent_as_json(admin: Admin) -> None:
    admin.pages["/x"] = 200, b'{"a": 1}'
    with connect(admin.url, "s3cret") as client:
        assert order(client, "/x", {"b": 2}, dict) == {"a": 1}
    assert (admin.orders, admin.tokens) == ([("/x", {"b": 2})], {"Bearer s3cret"})


def test_lines_are_yielded_one_by_one(admin: Admin) -> None:
    admin.pages["/x"] = 200, b'{"a": 1}\n{"a": 2}\n'
    with connect(admin.url, "") as client:
        assert list(follow(client, "/x", {})) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        pytest.param(401, b"{}", "wants another token", id="token"),
        pytest.param(503, b'{"error": "no disk"}', "/x answers 503: no disk", id="told"),
        pytest.param(500, b"<html>", "/x answers 500$", id="untold"),
        pytest.param(400, b"[1]", "/x answers 400$", id="other-shape"),
    ],
)
def test_a_refused_order_says_why(admin: Admin, status: int, body: bytes, reason: str) -> None:
    admin.pages["/x"] = status, body
    with connect(admin.url, "") as client:
        with pytest.raises(CannotStart, match=reason):
            order(client, "/x", {}, dict)
        with pytest.raises(CannotStart, match=reason):
            list(follow(client, "/x", {}))
