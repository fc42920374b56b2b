import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.path import escape_segment, parse_path
from gateway.errors import BadLabel, BadRequest
from gateway.protocol.redirects import (
    Redirect,
    find_redirect,
    key_redirect,
    namespace_redirect,
    slash_redirect,
    subdomain_redirect,
    uri_redirect,
)
from gateway.protocol.sites import PATH_SITE, Site, SiteKind, url_path
from tests.refusal import check_refused

KEY = "k51qzi5uqu5dk3v4rmjber23h16xnr23bsggmqqil9z2gduiis5se8dht36dam"
PEER_ID = "12D3KooWLQzUv2FHWGVPXTXSZpdHs7oHbXub2G5WC8Tx4NQhyd2d"
V0 = "QmYzfKSE55XCjD1MW128RfciAf2DViABhEiXfgVFMabSjN"
C = "bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"


@pytest.mark.parametrize(
    ("uri", "location"),
    [
        pytest.param(f"ipfs://{C}", f"/ipfs/{C}", id="root"),
        pytest.param(
            f"ipfs://{V0}/wiki/Diego_Maradona.html",
            f"/ipfs/{V0}/wiki/Diego_Maradona.html",
            id="wikipedia",
        ),
        pytest.param(
            "ipns://en.wikipedia-on-ipfs.org/wiki/",
            "/ipns/en.wikipedia-on-ipfs.org/wiki/",
            id="ipns",
        ),
        pytest.param(f"IPFS://{C}/x", f"/ipfs/{C}/x", id="scheme-in-capitals"),
        pytest.param(
            f"ipfs://{C}/a b\u0105?x=1#frag", f"/ipfs/{C}/a%20b%C4%85?x=1", id="query-and-fragment"
        ),
        pytest.param(f"ipfs://{C}/a%2fb", f"/ipfs/{C}/a%2Fb", id="escapes-stay"),
        pytest.param(
            f"ipfs://{C}/\r\nSet-Cookie: x",
            f"/ipfs/{C}/%0D%0ASet-Cookie:%20x",
            id="header-injection",
        ),
    ],
)
def test_uri_redirect(uri: str, location: str) -> None:
    assert uri_redirect({"uri": uri}) == Redirect(location.encode(), 301)


@pytest.mark.parametrize("target", [b"/ipfs/", b"/ipfs", b"/ipns/", b"/ipns"])
def test_uri_redirect_from_every_handler_path(target: bytes) -> None:
    assert find_redirect(target, f"uri=ipfs://{C}".encode()) == Redirect(f"/ipfs/{C}".encode())


@pytest.mark.parametrize(
    ("target", "query"),
    [
        pytest.param(b"/ipfs/", b"", id="no-uri"),
        pytest.param(b"/ipfs/", b"uri=", id="empty-uri"),
        pytest.param(f"/ipfs/{C}/".encode(), f"uri=ipfs://{C}".encode(), id="a-page-of-its-own"),
    ],
)
def test_uri_redirect_does_nothing(target: bytes, query: bytes) -> None:
    assert find_redirect(target, query) is None


@pytest.mark.parametrize(
    "uri",
    ["https://evil.example/", "ipfs:x", "ipfs://", "ipfs:///x", "ipfs://../x", "ipns://.", "x"],
)
def test_uri_redirect_refuses(uri: str) -> None:
    check_refused(BadRequest, "uri: it must start with ipfs://", uri_redirect, {"uri": uri})


@pytest.mark.property
@given(st.text(max_size=60))
def test_uri_redirects_stay_on_this_host(rest: str) -> None:
    try:
        redirect = uri_redirect({"uri": f"ipfs://{rest}"})
    except BadRequest:
        return
    assert redirect is not None
    assert redirect.location.startswith(b"/ipfs/")
    assert redirect.location.isascii()
    assert redirect.location.decode("ascii").isprintable()


@pytest.mark.parametrize(
    ("target", "query", "location"),
    [
        pytest.param(f"/ipfs/ipfs/{C}", b"", f"/ipfs/{C}", id="ipfs"),
        pytest.param(
            f"/ipfs//ipfs/{C}/a%2fb/", b"x=%c4", f"/ipfs/{C}/a%2Fb/?x=%C4", id="slashes-query"
        ),
        pytest.param("/ipfs/ipns/example.com/x", b"", "/ipns/example.com/x", id="ipns"),
    ],
)
def test_namespace_redirect(target: str, query: bytes, location: str) -> None:
    assert namespace_redirect(target.encode(), query) == Redirect(location.encode(), 301)


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(f"/ipfs/{C}/ipfs/{C}", id="a-name-below-the-root"),
        pytest.param("/ipfs/ipfs/nonsense", id="no-cid-inside"),
        pytest.param(f"/ipfs/ipfs/ipfs/{C}", id="twice"),
        pytest.param("/ipfs/ipns/", id="no-name-inside"),
        pytest.param("/ipfs/", id="nothing-inside"),
    ],
)
def test_namespace_redirect_leaves_alone(target: str) -> None:
    assert namespace_redirect(target.encode(), b"") is None


@pytest.mark.parametrize(
    ("target", "query", "location"),
    [
        pytest.param(f"/ipfs/{C}/%c4%85/%c4%99", "", f"/ipfs/{C}/%C4%85/%C4%99/", id="upper-case"),
        pytest.param(f"//ipfs//{C}//a", "", f"/ipfs/{C}/a/", id="never-protocol-relative"),
        pytest.param(
            f"/ipfs/{C}/a", "filename=%c4b&x", f"/ipfs/{C}/a/?filename=%C4b&x", id="query"
        ),
        pytest.param(
            f"/ipfs/{C}/a%2Fb%3F%25", "", f"/ipfs/{C}/a%2Fb%3F%25/", id="special-characters"
        ),
        pytest.param(
            f"/ipfs/{C}/a%0D%0ASet-Cookie:x",
            "",
            f"/ipfs/{C}/a%0D%0ASet-Cookie:x/",
            id="header-injection",
        ),
        pytest.param(f"/ipfs/{C}", "go-get=12", f"/ipfs/{C}/?go-get=12", id="almost-go-get"),
    ],
)
def test_slash_redirect(target: str, query: str, location: str) -> None:
    path = parse_path(target.encode())
    assert slash_redirect(PATH_SITE, path, query) == Redirect(location.encode(), 301)


def test_slash_redirect_keeps_the_root_as_it_was_written() -> None:
    written = "F01551220B94D27B9934D3E08A52E52D7DA7DABFAC484EFE37A5380EE9088F7ACE2EFCDE9"
    redirect = slash_redirect(PATH_SITE, parse_path(f"/ipfs/{written}".encode()), "")
    assert redirect == Redirect(f"/ipfs/{written}/".encode())


@pytest.mark.parametrize(
    ("target", "query"),
    [
        pytest.param(f"/ipfs/{C}/a/", "", id="has-its-slash"),
        pytest.param(f"/ipfs/{C}/a", "x=1&go-get=1", id="go-get"),
    ],
)
def test_slash_redirect_is_not_needed(target: str, query: str) -> None:
    assert slash_redirect(PATH_SITE, parse_path(target.encode()), query) is None


_NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)


@pytest.mark.property
@given(st.lists(_NAMES.filter(lambda name: name not in (".", "..")), max_size=3))
def test_a_path_in_an_url_parses_back_to_the_same_path(names: list[str]) -> None:
    href = f"/ipfs/{C}" + "".join(f"/{escape_segment(name)}" for name in names)
    path = parse_path(href.encode("ascii"))
    assert path.segments == tuple(names)
    assert url_path(PATH_SITE, path) == href


def test_slash_redirect_on_a_site_of_its_own_is_relative_to_it() -> None:
    site = Site(SiteKind.SUBDOMAIN, "x.ipfs.example.com", "example.com")
    redirect = slash_redirect(site, parse_path(f"/ipfs/{C}/%c4%85/b".encode()), "a=1")
    assert redirect == Redirect(b"/%C4%85/b/?a=1")


@pytest.mark.parametrize(
    ("target", "location"),
    [
        pytest.param(f"/ipns/{PEER_ID}/a%20b/", f"/ipns/{KEY}/a%20b/?q", id="peer-id"),
        pytest.param(f"/ipns/{PEER_ID}", f"/ipns/{KEY}?q", id="no-slash"),
    ],
)
def test_key_redirect_leads_to_the_canonical_text(target: str, location: str) -> None:
    assert key_redirect(parse_path(target.encode()), "q") == Redirect(location.encode(), 302)


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(f"/ipns/{KEY}/a", id="canonical"),
        pytest.param("/ipns/Example.com/a", id="domain"),
        pytest.param(f"/ipfs/{V0}", id="immutable"),
    ],
)
def test_key_redirect_is_not_needed(target: str) -> None:
    assert key_redirect(parse_path(target.encode()), "") is None


@pytest.mark.parametrize(
    ("target", "scheme", "inlined", "location"),
    [
        pytest.param(f"/ipfs/{C}", "http", True, f"http://{C}.ipfs.gw:80/?q", id="root"),
        pytest.param(
            f"/ipfs/{C}/a%2fb/", "https", True, f"https://{C}.ipfs.gw:80/a%2Fb/?q", id="path"
        ),
        pytest.param(f"/ipns/{PEER_ID}", "http", True, f"http://{KEY}.ipns.gw:80/?q", id="key"),
        pytest.param(
            "/ipns/a-b.org/x", "http", True, "http://a--b-org.ipns.gw:80/x?q", id="inlined"
        ),
        pytest.param(
            "/ipns/a-b.org/x", "http", False, "http://a-b.org.ipns.gw:80/x?q", id="dotted"
        ),
        pytest.param(
            "/ipns/a-b.org/x", "https", False, "https://a--b-org.ipns.gw:80/x?q", id="tls"
        ),
    ],
)
def test_subdomain_redirect(target: str, scheme: str, inlined: bool, location: str) -> None:  # noqa: FBT001 (a table)
    path = parse_path(target.encode())
    redirect = subdomain_redirect(path, "q", "gw:80", scheme, is_inlined=inlined)
    assert redirect == Redirect(location.encode(), 301)


def test_subdomain_redirect_refuses_what_does_not_fit() -> None:
    path = parse_path(f"/ipns/{'a' * 60}.example".encode())
    with pytest.raises(BadLabel, match="limit of 63"):
        subdomain_redirect(path, "", "gw", "http", is_inlined=True)
