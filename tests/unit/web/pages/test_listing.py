import hashlib
from collections.abc import AsyncIterator, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.cid import DAG_PB, RAW, Cid, sha256_cid
from gateway.content.listing import DirectoryEntry
from gateway.errors import NotFound
from gateway.pipeline.reply import DirectoryPage
from gateway.protocol.etags import listing_etag
from gateway.web.pages import listing
from gateway.web.pages.listing import ROWS_AT_ONCE, SPARE_BYTES, ListingPage
from gateway.web.pages.templates import PAGE_FIELDS
from tests.fakes.gateway_requests import HELLO, make_request
from tests.fakes.html import Page

_: DirectoryPage = ListingPage()  # mypy proves that it fits


def cid_of(name: str, codec: int = RAW) -> Cid:
    return sha256_cid(codec, hashlib.sha256(name.encode()).digest())


ROOT = cid_of("root", DAG_PB)


async def entries_of(names: Iterable[str]) -> AsyncIterator[DirectoryEntry]:
    for name in names:
        yield DirectoryEntry(name, cid_of(name), 1024)


async def render(names: Iterable[str], target: str = f"/ipfs/{HELLO}/") -> str:
    pieces = ListingPage().render(make_request(target), ROOT, entries_of(names))
    return b"".join([piece async for piece in pieces]).decode()


async def test_anchors_are_those_of_the_conformance_suite() -> None:
    name = "file-\u017a\u0142.txt"
    page = await render([name], f"/ipfs/{HELLO}/%C4%85/%C4%99/")
    base = f"/ipfs/{HELLO}"
    assert "Index of" in page
    assert (
        f'/ipfs/<a href="{base}">{HELLO}</a>/<a href="{base}/%C4%85">\u0105</a>/'
        f'<a href="{base}/%C4%85/%C4%99">\u0119</a>'
    ) in page
    assert f'<a href="{base}/%C4%85/%C4%99/..">..</a>' in page
    assert f'<a href="{base}/%C4%85/%C4%99/file-%C5%BA%C5%82.txt">{name}</a>' in page
    assert (
        f'<a class="ipfs-hash" translate="no" href="/ipfs/{cid_of(name)}'
        '?filename=file-%25C5%25BA%25C5%2582.txt">'
    ) in page


async def test_the_root_has_no_link_to_a_parent() -> None:
    assert ">..<" not in await render(["a"])


async def test_names_are_escaped_and_kept_apart() -> None:
    names = ["<script>alert(1)</script>", '"onx=', "</title>", "{{7*7}}", "x\ny", "a\u202eb"]
    page = await render(names)
    parsed = Page(page)
    assert parsed.forbidden == []
    expected = [*names[:-2], "x\u240ay", "a\ufffdb"]
    assert [text for _, text in parsed.links if text in expected] == expected
    assert page.count("<bdi>") == len(names)


async def test_a_path_with_markup_is_escaped_in_title_and_crumbs() -> None:
    page = await render(["a"], f"/ipfs/{HELLO}/%3Cscript%3E/%22x/")
    assert Page(page).forbidden == []
    assert "<script" not in page


async def test_an_empty_directory() -> None:
    page = await render([])
    assert "0 entries" in page
    assert page.endswith("</html>\n")


@pytest.mark.parametrize(
    ("count", "pieces"),
    [
        (1, 2),
        (ROWS_AT_ONCE - 1, 2),
        (ROWS_AT_ONCE, 3),
        (ROWS_AT_ONCE + 1, 3),
        (3 * ROWS_AT_ONCE, 5),
    ],
)
async def test_the_page_comes_in_pieces(count: int, pieces: int) -> None:
    names = [f"entry-{number}" for number in range(count)]
    rendered = ListingPage().render(make_request(f"/ipfs/{HELLO}/"), ROOT, entries_of(names))
    parts = [piece async for piece in rendered]
    assert len(parts) == pieces
    page = Page(b"".join(parts).decode())
    assert [text for href, text in page.links if href.startswith(f"/ipfs/{HELLO}/")] == names
    assert f"{count} {'entry' if count == 1 else 'entries'}" in page.text


async def test_the_top_comes_before_any_entry_and_a_failure_is_passed_on() -> None:
    async def cut_short() -> AsyncIterator[DirectoryEntry]:
        yield DirectoryEntry("a", ROOT, None)
        raise NotFound(ROOT, [])

    pieces = ListingPage().render(make_request(f"/ipfs/{HELLO}/"), ROOT, cut_short())
    assert (await anext(pieces)).startswith(b"<!doctype html>")
    with pytest.raises(NotFound, match="was not found"):
        await anext(pieces)


def test_the_page_has_a_policy_and_a_hash_for_its_etag() -> None:
    page = ListingPage()
    assert page.headers == PAGE_FIELDS
    assert page.template_hash.encode() in listing_etag(ROOT, page.template_hash)


@pytest.mark.property
@given(names=st.lists(st.text(min_size=1, max_size=30), max_size=5, unique=True))
async def test_no_name_becomes_markup(names: list[str]) -> None:
    page = Page(await render(names))
    assert page.forbidden == []
    assert len(page.links) == 1 + 2 * len(names)


async def test_a_name_of_two_megabytes_is_cut_and_linked_by_its_cid() -> None:
    """Issue 12, 20: it made a page of 24 MB."""
    name = "n" * 2_000_000
    page = await render([name])
    assert len(page) < 20_000
    assert f'<a href="/ipfs/{cid_of(name)}">{"n" * 255}\N{HORIZONTAL ELLIPSIS}</a>' in page


async def test_a_page_has_a_bound_and_says_that_there_is_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listing, "MAX_PAGE_BYTES", SPARE_BYTES + 64 * 1024)
    page = await render(f"{n:01000}" for n in range(5000))
    assert len(page) < SPARE_BYTES + 64 * 1024
    assert "entries are shown; request the others by name" in page
    assert "of more" not in await render(["a"])
