import pytest

from gateway.content.cid import DAG_PB, RAW, Cid, parse_cid, sha256_cid
from gateway.content.listing import DirectoryEntry
from gateway.content.path import parse_path
from gateway.protocol.listing import (
    Crumb,
    Row,
    choose_icon,
    format_size,
    listing_head,
    listing_row,
    show_name,
)
from gateway.protocol.sites import PATH_SITE, Site, SiteKind
from tests.fakes.gateway_requests import HELLO

CID = parse_cid(HELLO)
V0 = sha256_cid(DAG_PB, bytes(32), version=0)
HEAD = listing_head(PATH_SITE, parse_path(b"/ipfs/bafkqaaa/%C4%85/"), CID)
FOLDER = sha256_cid(DAG_PB, bytes(32))


def test_head_of_a_directory_below_the_root() -> None:
    """The anchors that the conformance suite looks for: no final slash in a crumb."""
    head = listing_head(PATH_SITE, parse_path(f"/ipfs/{HELLO}/%C4%85/%C4%99/".encode()), CID)
    assert head.crumbs == (
        Crumb(f"/ipfs/{HELLO}", HELLO),
        Crumb(f"/ipfs/{HELLO}/%C4%85", "\u0105"),
        Crumb(f"/ipfs/{HELLO}/%C4%85/%C4%99", "\u0119"),
    )
    assert head.title == f"/ipfs/{HELLO}/\u0105/\u0119"
    assert head.base_href == f"/ipfs/{HELLO}/%C4%85/%C4%99/"
    assert head.parent_href == f"/ipfs/{HELLO}/%C4%85/%C4%99/.."
    assert (head.namespace, head.cid) == ("ipfs", HELLO)


def test_head_of_the_root_has_no_parent() -> None:
    head = listing_head(PATH_SITE, parse_path(f"/ipfs/{HELLO}/".encode()), CID)
    assert head.parent_href is None
    assert head.crumbs == (Crumb(f"/ipfs/{HELLO}", HELLO),)


SUBDOMAIN = Site(SiteKind.SUBDOMAIN, f"{HELLO}.ipfs.gw:80", "gw:80")


def test_a_subdomain_leads_up_to_its_gateway() -> None:
    head = listing_head(SUBDOMAIN, parse_path(f"/ipfs/{HELLO}/%C4%85/".encode()), CID)
    assert head.crumbs == (
        Crumb(f"//gw:80/ipfs/{HELLO}", HELLO),
        Crumb(f"//gw:80/ipfs/{HELLO}/%C4%85", "\u0105"),
    )
    assert (head.base_href, head.parent_href) == ("/%C4%85/", "/%C4%85/..")
    row = listing_row(head, DirectoryEntry("a b", CID, None))
    assert (row.href, row.hash_href) == (
        "/%C4%85/a%20b",
        f"//gw:80/ipfs/{HELLO}?filename=a%2520b",
    )


def test_a_website_has_no_gateway_to_lead_to() -> None:
    site = Site(SiteKind.DNSLINK, "example.com:80")
    head = listing_head(site, parse_path(b"/ipns/example.com/a/"), CID)
    assert head.crumbs == (
        Crumb("//example.com:80/", "example.com"),
        Crumb("//example.com:80/a", "a"),
    )
    assert (head.title, head.namespace, head.cid_base) == ("/ipns/example.com/a", "ipns", "")
    row = listing_row(head, DirectoryEntry("b", CID, None))
    assert (row.href, row.hash_href) == ("/a/b", f"https://cid.ipfs.tech/#{HELLO}")


def test_the_root_of_a_site_has_no_parent() -> None:
    head = listing_head(SUBDOMAIN, parse_path(f"/ipfs/{HELLO}/".encode()), CID)
    assert (head.base_href, head.parent_href) == ("/", None)


def test_row_links_by_path_and_by_cid() -> None:
    row = listing_row(HEAD, DirectoryEntry("file-\u017a\u0142.txt", CID, 1536))
    assert row == Row(
        name="file-\u017a\u0142.txt",
        href="/ipfs/bafkqaaa/%C4%85/file-%C5%BA%C5%82.txt",
        hash_href=f"/ipfs/{HELLO}?filename=file-%25C5%25BA%25C5%2582.txt",
        cid=HELLO,
        short_cid="bafk\u20266n5e"[:5] + HELLO[-4:],
        size="1.5\u00a0KiB",
        icon="text",
    )


@pytest.mark.parametrize(
    ("name", "href", "filename"),
    [
        pytest.param("a b", "a%20b", "a%2520b", id="space"),
        pytest.param("50%", "50%25", "50%2525", id="percent"),
        pytest.param("a&b=c+d", "a&b=c+d", "a%26b%3Dc%2Bd", id="query-characters"),
        pytest.param('"><script>', "%22%3E%3Cscript%3E", "%2522%253E%253Cscript%253E", id="markup"),
        pytest.param("?#", "%3F%23", "%253F%2523", id="delimiters"),
        pytest.param("javascript:x", "javascript:x", "javascript%3Ax", id="scheme"),
    ],
)
def test_row_escapes_names(name: str, href: str, filename: str) -> None:
    row = listing_row(HEAD, DirectoryEntry(name, CID, None))
    assert row.href == f"/ipfs/bafkqaaa/%C4%85/{href}"
    assert row.hash_href == f"/ipfs/{HELLO}?filename={filename}"
    assert row.size == ""


@pytest.mark.parametrize("name", ["", ".", "..", "a/b"])
def test_a_name_that_no_path_reaches_is_linked_by_its_cid(name: str) -> None:
    row = listing_row(HEAD, DirectoryEntry(name, CID, None))
    assert row.href == row.hash_href


def test_control_and_direction_characters_are_made_visible() -> None:
    assert show_name("a\n\0\x7f\u202eb") == "a\u240a\u2400\u2421\ufffdb"


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KiB"),
        (1024, "1.0 KiB"),
        (102_400, "100 KiB"),
        (1_048_576, "1.0 MiB"),
        (64 * 2**20, "64.0 MiB"),
        (2**64, "16.0 EiB"),
        (2**80, "1048576 EiB"),
    ],
)
def test_format_size(size: int, expected: str) -> None:
    assert format_size(size).replace("\u00a0", " ") == expected


@pytest.mark.parametrize(
    ("name", "cid", "expected"),
    [
        pytest.param("a.png", CID, "image", id="image"),
        pytest.param("a.mp4", CID, "video", id="video"),
        pytest.param("a.mp3", CID, "audio", id="audio"),
        pytest.param("a.tar.gz", CID, "archive", id="archive"),
        pytest.param("a.css", CID, "text", id="text"),
        pytest.param("a.json", CID, "text", id="json"),
        pytest.param("a.pdf", CID, "text", id="pdf"),
        pytest.param("a.wasm", CID, "file", id="other-type"),
        pytest.param("photos", FOLDER, "folder", id="folder"),
        pytest.param("README", CID, "file", id="raw-block"),
        pytest.param("README", V0, "file", id="version-0-may-be-anything"),
        pytest.param(".git", FOLDER, "file", id="dot"),
    ],
)
def test_choose_icon(name: str, cid: Cid, expected: str) -> None:
    assert cid.codec in (RAW, DAG_PB)
    assert choose_icon(DirectoryEntry(name, cid, 1)) == expected
