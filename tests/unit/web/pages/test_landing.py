from gateway import __version__
from gateway.content.cid import parse_cid
from gateway.protocol.answer import NO_BODY, BodyBytes
from gateway.protocol.headers import CORS
from gateway.web.pages.landing import landing_answer
from tests.fakes.html import Page


def test_landing_says_what_this_is() -> None:
    answer = landing_answer()
    assert isinstance(answer.body, BodyBytes)
    page = Page(answer.body.data.decode())
    assert f"ipfs-gateway {__version__}" in page.text
    assert "/ipfs/cid/path" in page.text
    assert page.forbidden == []


def test_landing_starts_with_content_that_needs_no_upstream() -> None:
    body = landing_answer().body
    assert isinstance(body, BodyBytes)
    hrefs = [href for href, _ in Page(body.data.decode()).links if href.startswith("/ipfs/")]
    roots = [parse_cid(href.split("/")[2]) for href in hrefs]
    assert roots[0].is_identity
    assert roots[0].digest == b"Hello from inside of a CID!\n"


def test_landing_has_the_fields_of_a_page() -> None:
    answer = landing_answer()
    assert isinstance(answer.body, BodyBytes)
    fields = dict(answer.headers)
    assert answer.status == 200
    assert fields[b"content-type"] == b"text/html; charset=utf-8"
    assert fields[b"content-length"] == str(len(answer.body.data)).encode()
    assert b"content-security-policy" in fields
    assert set(CORS) <= set(answer.headers)


def test_head_of_the_landing_page() -> None:
    answer = landing_answer(is_head=True)
    assert (answer.headers, answer.body) == (landing_answer().headers, NO_BODY)
