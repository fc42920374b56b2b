import pytest
from hypothesis import given

from gateway.content.cid import DAG_CBOR, DAG_JSON, Cid, sha256_cid
from gateway.content.ipld import MAX_DEPTH, Value
from gateway.pipeline import DocumentPage
from gateway.web.pages.document import PreviewPage
from gateway.web.pages.templates import PAGE_FIELDS
from tests.fakes.gateway_requests import HELLO, make_request
from tests.fakes.html import Page
from tests.strategies import values

PAGE = PreviewPage()
_: DocumentPage = PAGE  # mypy proves that it fits
CBOR, JSON = sha256_cid(DAG_CBOR, bytes(32)), sha256_cid(DAG_JSON, bytes(32))


def render(value: Value, target: str = f"/ipfs/{HELLO}/", cid: Cid = CBOR) -> str:
    return PAGE.render(make_request(target), cid, value).decode()


def test_links_lead_on_and_to_the_raw_forms() -> None:
    page = Page(render({"a": [CBOR]}, f"/ipfs/{HELLO}/x"))

    assert page.links == [
        (f"/ipfs/{HELLO}", HELLO),
        (f"/ipfs/{HELLO}/x", "x"),
        ("?format=dag-cbor", "dag-cbor"),
        ("?format=raw", "raw block"),
        ("?format=car", "CAR of the whole DAG"),
        (f"/ipfs/{HELLO}/x/a/0", str(CBOR)),
    ]


@pytest.mark.parametrize("cid", [CBOR, JSON], ids=["cbor", "json"])
def test_the_page_says_what_it_shows(cid: Cid) -> None:
    page = render({"key": "some words"}, cid=cid)

    assert str(cid) in page
    assert "key" in page
    assert "some words" in page
    assert page.rstrip().endswith("</html>")
    assert PAGE.headers == PAGE_FIELDS


NASTY = ["<script>alert(1)</script>", '" onload="x', "</ul></title>", "{{7*7}}", "javascript:x"]


def test_whatever_the_document_holds_runs_nothing() -> None:
    value: Value = [{name: [name, CBOR]} for name in NASTY]
    page = Page(render(value, f"/ipfs/{HELLO}/%3Cscript%3E"))

    assert page.forbidden == []
    assert {href.partition(HELLO)[0] for href, _ in page.links} <= {"/ipfs/", "?format=dag-cbor",
        "?format=raw", "?format=car"}  # fmt: skip
    assert all(name in page.text for name in NASTY)


def test_a_page_of_a_deep_document_is_whole() -> None:
    value: Value = CBOR
    for _ in range(MAX_DEPTH):
        value = [value]
    page = render(value)

    assert page.count("<ul") == page.count("</ul>") == MAX_DEPTH + 1


def test_a_page_of_a_large_document_is_small_and_says_so() -> None:
    page = render(["x" * 5000] * 20_000)

    assert len(page) < 1_000_000
    assert "only the first values" in page
    assert "only the first values" not in render(["x"])


@given(values)
def test_any_document_has_a_page(value: Value) -> None:
    assert Page(render(value)).forbidden == []
