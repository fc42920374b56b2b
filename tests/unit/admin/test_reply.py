from gateway.admin.reply import json_response, raw_response
from tests.fakes.browser import ask


async def test_json_is_typed_protected_and_ends_its_line() -> None:
    answer = await ask(json_response({"a": 1}, 404, [("Allow", "GET")]), "/")
    assert answer.status_code == 404
    assert answer.json() == {"a": 1}
    assert answer.text.endswith("}\n")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["allow"] == "GET"


async def test_a_page_may_have_its_own_policy() -> None:
    policy = [("Content-Security-Policy", "default-src 'self'")]
    answer = await ask(raw_response(b"x", "text/plain; charset=utf-8", headers=policy), "/")
    assert answer.headers.get_list("content-security-policy") == ["default-src 'self'"]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
