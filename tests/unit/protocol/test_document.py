import pytest
from hypothesis import given

from gateway.content.cid import parse_cid
from gateway.content.ipld import Value
from gateway.content.path import parse_path
from gateway.protocol.document import (
    MAX_HREF_CHARACTERS,
    MAX_KEY_CHARACTERS,
    MAX_ROWS,
    MAX_TEXT_CHARACTERS,
    DocumentRows,
    Row,
    document_rows,
)
from gateway.protocol.sites import PATH_SITE, Site, SiteKind
from tests.fakes.gateway_requests import HELLO
from tests.strategies import values

BASE = f"/ipfs/{HELLO}"
LINK = parse_cid("bafkqaaa")
END = Row("end")


def rows_of(value: Value, path: str = BASE) -> tuple[Row, ...]:
    rows, is_whole = document_rows(PATH_SITE, parse_path(path.encode()), value)
    assert is_whole
    return rows


def test_lists_and_maps_stand_around_what_they_hold() -> None:
    assert rows_of({"a": [1, []], "b": {}}) == (
        Row("map", "", "2 in a map"),
        Row("list", "a", "2 in a list"),
        Row("number", "0", "1"),
        Row("list", "1", "0 in a list"),
        END,
        END,
        Row("map", "b", "0 in a map"),
        END,
        END,
    )


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        pytest.param("é", "text", "é", id="text"),
        pytest.param("", "text", "", id="empty-text"),
        pytest.param("a\nb\u202ec", "text", "a\u240ab\ufffdc", id="invisible"),
        pytest.param("\udcff", "text", "?", id="text-that-is-not-utf8"),
        pytest.param(b"\0\xff", "bytes", "00 ff (2 bytes)", id="bytes"),
        pytest.param(bytes(99), "bytes", "00 " * 31 + "00\u2026 (99 bytes)", id="many-bytes"),
        pytest.param(True, "bool", "true", id="true"),
        pytest.param(None, "null", "null", id="null"),
        pytest.param(-(2**64), "number", "-18446744073709551616", id="integer"),
        pytest.param(1.5, "number", "1.5", id="float"),
        pytest.param(10**600, "number", "1" + "0" * 499 + "\u2026", id="long-integer"),
        pytest.param(
            "x" * 600, "text", "x" * MAX_TEXT_CHARACTERS + "\N{HORIZONTAL ELLIPSIS}", id="long-text"
        ),
    ],
)
def test_a_value_is_shown(value: Value, kind: str, text: str) -> None:
    assert rows_of(value) == (Row(kind, "", text),)


@pytest.mark.parametrize(
    ("path", "key", "href"),
    [
        pytest.param(BASE, "a", f"{BASE}/x/a", id="key"),
        pytest.param(f"{BASE}/%C4%85/", "é b", f"{BASE}/%C4%85/x/%C3%A9%20b", id="escaped"),
        pytest.param(BASE, "a/b", f"{BASE}/x/a%2Fb", id="slash"),
        pytest.param(BASE, "", "/ipfs/bafkqaaa", id="empty"),
        pytest.param(BASE, "..", "/ipfs/bafkqaaa", id="dots"),
        pytest.param(BASE, "a\0", "/ipfs/bafkqaaa", id="nul"),
        pytest.param(BASE, "\udc80", "/ipfs/bafkqaaa", id="not-utf8"),
        pytest.param(BASE, "x" * MAX_HREF_CHARACTERS, "/ipfs/bafkqaaa", id="too-long"),
    ],
)
def test_a_link_leads_on_by_its_path_or_else_by_its_cid(path: str, key: str, href: str) -> None:
    link = rows_of({"x": {key: LINK}}, path)[2]

    assert (link.kind, link.text, link.href) == ("link", "bafkqaaa", href)


def test_links_below_a_key_without_a_path_lead_by_their_cid() -> None:
    assert rows_of({"": [LINK]})[2].href == "/ipfs/bafkqaaa"


def test_a_document_that_is_a_link_leads_on_by_its_cid() -> None:
    assert rows_of(LINK) == (Row("link", "", "bafkqaaa", "/ipfs/bafkqaaa"),)


def test_long_keys_are_cut() -> None:
    shown = rows_of({"x" * 999: 1})[1].key

    assert shown == "x" * MAX_KEY_CHARACTERS + "\N{HORIZONTAL ELLIPSIS}"


@pytest.mark.parametrize(
    "value",
    [[0] * MAX_ROWS, [[[0] * MAX_ROWS]], {"a": [0] * MAX_ROWS, "b": 1}],
    ids=["flat", "deep", "wide"],
)
def test_the_page_is_bounded_and_says_so(value: Value) -> None:
    rows, is_whole = document_rows(PATH_SITE, parse_path(BASE.encode()), value)

    assert not is_whole
    assert len([row for row in rows if row.kind != "end"]) == MAX_ROWS


def test_as_many_as_fit_are_all() -> None:
    assert len(rows_of([0] * (MAX_ROWS - 1))) == MAX_ROWS + 1


@given(values)
def test_every_beginning_has_its_end(value: Value) -> None:
    found: DocumentRows = document_rows(PATH_SITE, parse_path(BASE.encode()), value)
    depth = 0
    for row in found.rows:
        depth += (row.kind in ("list", "map")) - (row.kind == "end")
        assert depth >= 0
    assert depth == 0


def test_a_link_at_the_root_of_a_website_leads_below_it() -> None:
    path = parse_path(f"/ipfs/{HELLO}/".encode())
    site = Site(SiteKind.SUBDOMAIN, "x.ipfs.gw", "gw")
    cid = parse_cid(HELLO)
    rows = document_rows(site, path, {"a": cid, "..": cid}).rows
    assert [row.href for row in rows if row.kind == "link"] == ["/a", f"//gw/ipfs/{HELLO}"]


def test_a_link_that_has_no_path_is_explained_elsewhere_on_a_dnslink_website() -> None:
    site = Site(SiteKind.DNSLINK, "example.com")
    rows = document_rows(site, parse_path(b"/ipns/example.com/"), {"": parse_cid(HELLO)}).rows
    assert [row.href for row in rows if row.kind == "link"] == [f"https://cid.ipfs.tech/#{HELLO}"]
