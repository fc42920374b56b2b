import pytest
from starlette.responses import PlainTextResponse

from gateway.admin.gate import Gate
from tests.fakes.browser import Fields, ask

TOKEN = "t\u00f8ken-0123456789"  # noqa: S105 (made up)
LOCKED = Gate(PlainTextResponse("in"), TOKEN)
OPEN = Gate(PlainTextResponse("in"), "")
WRITABLE = Gate(PlainTextResponse("in"), "", {"/orders": ("POST",), "/both": ("GET", "POST")})
JSON = ("Content-Type", "application/json; charset=utf-8")
RIGHT = ("Authorization", f"Bearer {TOKEN}")


@pytest.mark.parametrize(
    ("fields", "target"),
    [
        pytest.param([], "/", id="none"),
        pytest.param([("Authorization", "Bearer wrong")], "/", id="wrong"),
        pytest.param([("Authorization", "")], "/", id="empty"),
        pytest.param([("Authorization", "Bearer")], "/", id="scheme-only"),
        pytest.param([("Authorization", "Bearer ")], "/", id="scheme-and-blank"),
        pytest.param([("Authorization", TOKEN)], "/", id="no-scheme"),
        pytest.param([("Authorization", f"Basic {TOKEN}")], "/", id="other-scheme"),
        pytest.param([RIGHT, RIGHT], "/", id="two"),
        pytest.param([RIGHT, ("Authorization", "Bearer x")], "/", id="right-and-wrong"),
        pytest.param([("Authorization", f"Bearer {TOKEN}x")], "/", id="longer"),
        pytest.param([("Authorization", f"Bearer {TOKEN[:-1]}")], "/", id="shorter"),
        pytest.param([("Authorization", b"Bearer \xff\xfe")], "/", id="not-utf-8"),
        pytest.param([("Authorization", "Bearer " + "a" * 1_000_000)], "/", id="megabyte"),
        pytest.param([("Cookie", f"token={TOKEN}")], "/", id="cookie"),
        pytest.param([], "/?token=t%C3%B8ken-0123456789", id="query"),
    ],
)
async def test_without_the_one_right_token_all_get_the_same_401(
    fields: Fields, target: str
) -> None:
    answer = await ask(LOCKED, target, fields)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="ipfs-gateway admin"'
    assert answer.text == (await ask(LOCKED, "/")).text
    assert answer.headers == (await ask(LOCKED, "/")).headers
    assert TOKEN not in answer.text


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(f"Bearer {TOKEN}", id="as-written"),
        pytest.param(f"bearer {TOKEN}", id="scheme-in-lower-case"),
        pytest.param(f"Bearer  {TOKEN}  ", id="more-blanks"),
    ],
)
async def test_the_token_opens(value: str) -> None:
    assert (await ask(LOCKED, "/metrics", [("Authorization", value)])).text == "in"


async def test_alive_is_said_without_a_token() -> None:
    assert (await ask(LOCKED, "/healthz")).text == "in"


@pytest.mark.parametrize("target", ["/healthz/", "//healthz", "/healthz/../metrics", "/HEALTHZ"])
async def test_nothing_else_is(target: str) -> None:
    assert (await ask(LOCKED, target)).status_code == 401


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([("Origin", "https://evil.example")], id="origin"),
        pytest.param([("Origin", "null")], id="null-origin"),
        pytest.param([("Origin", "http://127.0.0.1:9999")], id="other-port"),
        pytest.param([("Origin", "http://127.0.0.1:8081.evil.example")], id="prefix"),
        pytest.param([("Sec-Fetch-Site", "cross-site")], id="cross-site"),
        pytest.param([("Sec-Fetch-Site", "same-site")], id="same-site"),
    ],
)
@pytest.mark.parametrize("gate", [pytest.param(OPEN, id="open"), pytest.param(LOCKED, id="locked")])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_another_page_causes_is_refused(
    gate: Gate, fields: list[tuple[str, str]], method: str
) -> None:
    answer = await ask(gate, "/", [*fields, RIGHT], method)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([("Origin", "http://127.0.0.1:8081")], id="origin"),
        pytest.param([("Sec-Fetch-Site", "same-origin")], id="same-origin"),
        pytest.param([("Sec-Fetch-Site", "none")], id="typed"),
        pytest.param([], id="no-browser"),
    ],
)
async def test_what_the_operator_causes_is_answered(fields: Fields) -> None:
    assert (await ask(OPEN, "/", fields)).text == "in"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_only_reading_is_allowed(method: str) -> None:
    answer = await ask(OPEN, "/metrics", method=method)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [pytest.param("/orders", "POST", id="order"), pytest.param("/both", "GET, POST", id="both")],
)
async def test_a_page_has_its_own_methods(path: str, allowed: str) -> None:
    answer = await ask(WRITABLE, path, method="DELETE")
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert (await ask(WRITABLE, path, [JSON], method="POST")).text == "in"


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([], id="no-type"),
        pytest.param([("Content-Type", "text/plain")], id="text"),
        pytest.param([("Content-Type", "application/x-www-form-urlencoded")], id="form"),
    ],
)
async def test_a_form_is_no_order(fields: list[tuple[str, str]]) -> None:
    assert (await ask(WRITABLE, "/orders", fields, method="POST")).status_code == 415


@pytest.mark.parametrize(
    ("host", "status"),
    [
        pytest.param("127.0.0.1", 200, id="v4"),
        pytest.param("[::1]", 200, id="v6"),
        pytest.param("10.0.0.7", 200, id="another-address"),
        pytest.param("localhost", 200, id="localhost"),
        pytest.param("LOCALHOST", 200, id="upper-case"),
        pytest.param("gateway.localhost", 200, id="below-localhost"),
        pytest.param("evil.example", 403, id="stranger"),
        pytest.param("127.0.0.1.evil.example", 403, id="looks-local"),
        pytest.param("localhost.evil.example", 403, id="looks-like-localhost"),
    ],
)
async def test_a_stranger_cannot_point_a_name_at_the_open_listener(host: str, status: int) -> None:
    assert (await ask(OPEN, "/", host=host)).status_code == status
    assert (await ask(OPEN, "/healthz", host=host)).status_code == 200
    assert (await ask(LOCKED, "/", [RIGHT], host=host)).status_code == 200


@pytest.mark.parametrize(
    ("server", "headers"),
    [
        pytest.param(["/run/admin.sock", None], [(b"host", b"admin")], id="unix-socket"),
        pytest.param(["127.0.0.1", 80], [], id="no-host"),
    ],
)
def test_no_browser_no_rebinding(
    server: list[str | None], headers: list[tuple[bytes, bytes]]
) -> None:
    scope = {"type": "http", "path": "/", "method": "GET", "server": server, "headers": headers}
    assert OPEN.judge(scope) is None


async def test_refusals_are_not_stored() -> None:
    answer = await ask(LOCKED, "/")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-type"] == "application/json"
