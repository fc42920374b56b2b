"""Orders to an admin listener, and what it says to them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli.remote import _trust, connect, follow, order
from gateway.errors import CannotStart
from tests.fakes.admin import Admin, serving
from tests.fakes.certificates import self_signed


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
    "environment",
    [
        pytest.param({"HTTP_PROXY": "{proxy}", "http_proxy": "{proxy}"}, id="http"),
        pytest.param({"ALL_PROXY": "{proxy}", "all_proxy": "{proxy}"}, id="all"),
        pytest.param({"ALL_PROXY": "socks5h://127.0.0.1:1"}, id="socks"),
        pytest.param({"HTTP_PROXY": "no url at all"}, id="odd"),
        pytest.param({"NO_PROXY": "[::1", "no_proxy": "[::1"}, id="odd-exception"),
        pytest.param({"SSL_CERT_FILE": "/nowhere.pem"}, id="authorities"),
        pytest.param({"SSL_CERT_DIR": "/nowhere"}, id="folder-of-authorities"),
    ],
)
def test_the_token_is_for_the_gateway_alone(
    admin: Admin, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 12, 29: commands sent it to the proxy of the environment, or broke because of it."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with serving() as proxy:
        for name, value in environment.items():
            monkeypatch.setenv(name, value.format(proxy=proxy.url))
        admin.pages["/x"] = 200, b"{}"

        with connect(admin.url, "s3cret") as client:
            order(client, "/x", {}, dict)

    assert (admin.tokens, proxy.asked) == ({"Bearer s3cret"}, 0)


def test_a_secure_listener_is_trusted_as_the_system_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own.pem"
    own.write_bytes(self_signed("gateway.example"))
    monkeypatch.setenv("SSL_CERT_FILE", str(own))
    trusted = _trust(is_secure=True).get_ca_certs()
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")
    fewer = _trust(is_secure=True).get_ca_certs()

    subjects = [certificate["subject"] for certificate in trusted]
    assert ((("commonName", "gateway.example"),),) in subjects
    assert len(fewer) == len(trusted) - 1


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        pytest.param(401, b"{}", "refuses the token", id="token"),
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
