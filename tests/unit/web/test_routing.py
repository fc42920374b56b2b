"""Hosts and paths to what is asked for, on a real socket."""

import asyncio

import pytest

from gateway.content.build import build_directory, build_file, build_symlink, collect
from gateway.content.cid import LIBP2P_KEY, RAW, make_cid, parse_cid
from gateway.errors import HostUnknown
from tests.unit.web.conftest import KEY, PAGE, RECORD, Listening

PEER_ID = "12D3KooWLQzUv2FHWGVPXTXSZpdHs7oHbXub2G5WC8Tx4NQhyd2d"
RECORD_TYPE = "application/vnd.ipfs.ipns-record"
OTHER = str(make_cid(LIBP2P_KEY, 0x12, bytes(32)))
LONG = str(make_cid(RAW, 0x13, bytes(64)))  # sha2-512


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def location_of(answer: bytes) -> str:
    head = answer.partition(b"\r\n\r\n")[0].decode("latin-1")
    lines = [line for line in head.split("\r\n") if line.lower().startswith("location:")]
    return lines[0].partition(": ")[2] if lines else ""


@pytest.mark.parametrize(
    ("host", "target", "status", "text"),
    [
        pytest.param("{root}.ipfs.gateway.example", "/a.txt", 200, PAGE, id="subdomain"),
        pytest.param("{root}.ipfs.gateway.example:80", "/", 200, PAGE, id="subdomain-index"),
        pytest.param("{root}.ipfs.localhost:1", "/a.txt", 200, PAGE, id="localhost"),
        pytest.param("{root}.ipfs.gateway.example", "/ipfs/{root}", 404, b"", id="no-namespace"),
        pytest.param("qminvalidcid.ipfs.gateway.example", "/", 400, b"invalid path", id="bad-cid"),
        pytest.param("x.ipns.gateway.example", "/", 400, b"neither a key", id="bad-name"),
        pytest.param("site-example.ipns.gateway.example", "/a.txt", 200, PAGE, id="inlined"),
        pytest.param("site.example.ipns.gateway.example", "/a.txt", 200, PAGE, id="dotted"),
        pytest.param("no-such.ipns.gateway.example", "/", 404, b"not found on any", id="no-name"),
        pytest.param("{root}.ipfs.paths.example", "/", 404, b"", id="no-subdomains-here"),
        pytest.param(f"{KEY}.ipns.paths.example", "/", 404, b"", id="namespace-not-served"),
        pytest.param("{root}.ipfs.unknown.example", "/ipfs/{root}/a.txt", 200, PAGE, id="not-ours"),
        pytest.param("site.example", "/a.txt", 200, PAGE, id="website-of-a-gateway"),
        pytest.param("paths.example", "/ipfs/{root}/a.txt", 200, PAGE, id="path"),
        pytest.param("paths.example", "/ipns/site.example/", 404, b"", id="path-not-served"),
        pytest.param("paths.example", "/", 200, b"IPFS gateway", id="landing"),
        pytest.param("Paths.Example.", "/", 200, b"IPFS gateway", id="other-spelling"),
        pytest.param("Site.Example.:80", "/a.txt", 200, PAGE, id="website-in-another-spelling"),
        pytest.param("{root}.IPFS.Gateway.Example.", "/a.txt", 200, PAGE, id="subdomain-likewise"),
        pytest.param("cache_ipfs_1:8080", "/ipfs/{root}/a.txt", 200, PAGE, id="compose"),
        pytest.param("gw.svc.cluster.local.", "/ipfs/{root}/a.txt", 200, PAGE, id="kubernetes"),
        pytest.param("example.com", "/ipfs/{root}/a.txt?filename=%E9.txt", 200, PAGE, id="hint"),
        pytest.param("paths.example", "/x", 404, b"nothing at", id="nothing"),
        pytest.param("example.com", "/ipns/site.example/a.txt", 200, PAGE, id="name-by-path"),
        pytest.param("example.com", "/ipns/nope.example/", 404, b"nope.example", id="absent-name"),
        pytest.param("trustless.example", "/ipfs/{root}/a.txt", 406, b"trustless", id="trustless"),
        pytest.param("trustless.example", "/ipfs/{root}?format=raw", 200, b"", id="block"),
        pytest.param("blocks.example", "/a.txt", 406, b"trustless", id="website-of-a-trustless"),
        pytest.param("blocks.example", "/a.txt?format=raw", 200, PAGE, id="block-of-a-website"),
        pytest.param("gateway.example", f"/ipfs/{LONG}", 400, b"length limit of 63", id="long"),
        pytest.param(f"{LONG}.ipfs.gateway.example", "/", 400, b"limit of 63", id="long-label"),
        pytest.param(
            "gateway.example", "/ipfs/QmInvalidCID", 400, b'"/ipfs/QmInvalidCID"', id="bad"
        ),
    ],
)
async def test_a_host_has_its_content(
    listening: Listening, host: str, target: str, status: int, text: bytes
) -> None:
    answer = await listening.get(
        target.format(root=listening.root), host=host.format(root=listening.root)
    )
    assert status_of(answer) == status, answer
    assert text in answer
    assert b"access-control-allow-origin: *" in answer


@pytest.mark.parametrize(
    ("target", "rest"),
    [
        pytest.param("//ipfs/{root}", "/a.txt", id="two-slashes"),
        pytest.param("///ipfs/{root}", "/a.txt", id="three-slashes"),
        pytest.param("/./ipfs/{root}", "/a.txt", id="dot"),
        pytest.param("/%2e//./ipfs/{root}", "/a.txt", id="escaped-dot"),
        pytest.param("//ipns/site.example", "/a.txt", id="name"),
        pytest.param("//ipfs//{root}", "//a.txt", id="slashes-further-on"),
    ],
)
@pytest.mark.parametrize("host", ["example.com", "trustless.example", "127.0.0.1"])
async def test_slashes_and_dots_before_a_namespace_mean_nothing(
    listening: Listening, host: str, target: str, rest: str
) -> None:
    """Issue 12, 16: metadata of tokens says `//ipfs/{cid}`; it was 404."""
    rest += "?format=raw" if host == "trustless.example" else ""
    answer = await listening.get(target.format(root=listening.root) + rest, host=host)
    assert (status_of(answer), PAGE in answer) == (200, True)


@pytest.mark.parametrize(
    ("host", "target", "location"),
    [
        pytest.param(
            "gateway.example",
            "//ipfs/{root}/x",
            "http://{root}.ipfs.gateway.example/x",
            id="slashes-to-the-subdomain",
        ),
        pytest.param(
            "example.com", "//ipfs/?uri=ipfs%3A%2F%2F{root}", "/ipfs/{root}", id="slashes-and-uri"
        ),
        pytest.param(
            "example.com", "//ipfs/ipfs/{root}", "/ipfs/{root}", id="slashes-and-namespaces"
        ),
        pytest.param(
            "gateway.example:80",
            "/ipfs/{root}/a%20b/?x=y",
            "http://{root}.ipfs.gateway.example:80/a%20b/?x=y",
            id="to-the-subdomain",
        ),
        pytest.param(
            "gateway.example", f"/ipns/{PEER_ID}", f"http://{KEY}.ipns.gateway.example/", id="key"
        ),
        pytest.param(
            "gateway.example",
            "/ipns/site.example/x",
            "http://site-example.ipns.gateway.example/x",
            id="to-the-inlined-name",
        ),
        pytest.param(
            "gateway.example", "/ipfs/?uri=ipfs%3A%2F%2F{root}%2Fx", "/ipfs/{root}/x", id="uri"
        ),
        pytest.param("example.com", f"/ipns/{PEER_ID}/x", f"/ipns/{KEY}/x", id="canonical-key"),
        pytest.param(
            "bafybeidqwpzlybhydyv3kxifsnqhhswmp3gasyv4j3xdrtsivzikxk6ocy.ipns.gateway.example",
            "/x",
            "http://k2k4r8m84zq6uis72gfkagvtkegr5satp0nrsvz79djoz0vr6ri4q32u.ipns.gateway.example/x",
            id="dag-pb-key",
        ),
    ],
)
async def test_a_host_sends_elsewhere(
    listening: Listening, host: str, target: str, location: str
) -> None:
    answer = await listening.get(
        target.format(root=listening.root), host=host.format(root=listening.root)
    )
    assert location_of(answer) == location.format(root=listening.root), answer


async def test_a_trusted_proxy_tells_host_and_scheme(listening: Listening) -> None:
    answer = await listening.get(
        f"/ipfs/{listening.root}/",
        "X-Forwarded-Host: gateway.example",
        "X-Forwarded-Proto: https",
        host="inside.example",
    )
    assert location_of(answer) == f"https://{listening.root}.ipfs.gateway.example/"


@pytest.mark.parametrize("target", ["/ipfs/{root}/a.txt", "/ipns/site.example/a.txt", "/", "/x"])
async def test_a_host_of_which_nobody_knows_what_it_is_serves_nothing(
    listening: Listening, target: str
) -> None:
    """Issue 12, 6: content of anybody would run on the origin of the website that it may be."""
    listening.names.host_error = HostUnknown("maybe.example", [])
    for host in ("maybe.example", "maybe.example:80"):
        answer = await listening.get(target.format(root=listening.root), host=host)
        assert status_of(answer) == 503
        assert b"retry-after: 5\r\n" in answer
        assert b"cache-control: no-store\r\n" in answer
        assert PAGE not in answer
    for host in ("paths.example", "127.0.0.1:80", "localhost"):  # nobody has to be asked
        answer = await listening.get(f"/ipfs/{listening.root}/a.txt", host=host)
        assert (status_of(answer), PAGE in answer) == (200, True)


async def test_a_host_that_becomes_a_website_is_no_path_gateway_any_more(
    listening: Listening,
) -> None:
    """Issue 12, 6: the hot table knew hosts for ever that were once no websites."""
    listening.names.hosts_until = listening.clock.monotonic() + 30
    target = f"/ipfs/{listening.root}/a.txt"
    request = f"GET {target} HTTP/1.1\r\nHost: new.example\r\n\r\n".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", listening.port)

    async def ask() -> tuple[bytes, bytes]:
        writer.write(request)
        async with asyncio.timeout(5):
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            return head, await reader.readexactly(int(length))

    assert [b"detail=hot" in (await ask())[0] for _ in range(4)] == [False, True, True, True]
    assert request in listening.table.heads.ready
    listening.names.host_error = HostUnknown("new.example", [])
    listening.table.expire(listening.clock.monotonic() + 29)
    assert b"detail=hot" in (await ask())[0]
    listening.table.expire(listening.clock.monotonic() + 30)
    assert (await ask())[0].startswith(b"HTTP/1.1 503 ")
    writer.close()


async def test_a_website_keeps_no_immutable_answers(listening: Listening) -> None:
    for _ in range(2):
        answer = await listening.get("/a.txt", host="site.example")
        assert b"cache-control: public, max-age=60\r\n" in answer
        assert b"x-ipfs-path: /ipns/site.example/a.txt\r\n" in answer
    assert len(listening.table) == 0


async def test_a_subdomain_is_hot_under_its_own_host(listening: Listening) -> None:
    host = f"{listening.root}.ipfs.gateway.example"
    await listening.get("/a.txt", host=host)
    found = listening.table.find(b"/a.txt", [(b"host", host.encode())])
    assert found is not None
    assert f"x-ipfs-path: /ipfs/{listening.root}/a.txt".encode() in found.entry.head
    elsewhere = await listening.get("/a.txt", host="example.com")
    assert status_of(elsewhere) == 404


async def test_what_a_proxy_says_of_the_host_is_not_passed_over(listening: Listening) -> None:
    host = f"{listening.root}.ipfs.gateway.example"
    told = f"X-Forwarded-Host: {host}"
    for _ in range(2):
        answer = await listening.get("/a.txt", told, host="inside.example")
        assert status_of(answer) == 200
    assert status_of(await listening.get("/a.txt", host="inside.example")) == 404


async def test_a_listing_on_a_subdomain_leads_to_its_gateway(listening: Listening) -> None:
    root = listening.add(collect(build_directory([("a b", collect(build_symlink(b"x"))[0])])))
    answer = await listening.get("/", host=f"{root}.ipfs.gateway.example:80")
    assert f'<a href="//gateway.example:80/ipfs/{root}">{root}</a>'.encode() in answer
    assert b'<a href="/a%20b">a b</a>' in answer
    assert b'href="/"' not in answer


@pytest.mark.parametrize(
    ("path", "status", "text", "location"),
    [
        pytest.param("/old/x?q=1", 302, b"", "/new/x?q=1", id="redirect"),
        pytest.param("/app/x", 200, PAGE, "", id="rewrite"),
        pytest.param("/gone/x", 410, b"it is gone", "", id="page"),
        pytest.param("/app2/x/y?q=%23", 302, b"", "/?q=%23#/x/y", id="fragment-and-query"),
        pytest.param("/page.html/intro", 302, b"", "/found", id="below-a-file"),
        pytest.param("/page.html", 200, PAGE, "", id="what-is-there-wins"),
        pytest.param("/nothing/here", 404, b"no link named", "", id="no-rule"),
        pytest.param("/to-a-folder", 200, b"in the folder", "", id="rewrite-to-a-folder"),
        pytest.param("/no-page", 500, b"is not a file", "", id="page-that-is-a-folder"),
        pytest.param("/no-target", 404, b"no link named", "", id="rewrite-to-nothing"),
        pytest.param("/above", 500, b"is not a path", "", id="rewrite-above-the-root"),
    ],
)
async def test_a_website_has_its_redirects(
    listening: Listening, path: str, status: int, text: bytes, location: str
) -> None:
    rules = (
        b"/old/* /new/:splat 302\n/app2/* /#/:splat 302\n/page.html/* /found 302\n"
        b"/app/* /page.html 200\n/gone/* /gone.html 410\n"
        b"/to-a-folder /folder 200\n/no-page /folder 404\n/no-target /nope 200\n/above /../x 200\n"
    )
    root = listening.add_website(rules)
    answer = await listening.get(path, host=f"{root}.ipfs.gateway.example")
    assert status_of(answer) == status, answer
    assert text in answer
    assert location_of(answer) == location


async def test_a_page_for_what_is_gone_is_cached_like_content(listening: Listening) -> None:
    root = listening.add_website(b"/* /gone.html 404")
    host = f"{root}.ipfs.gateway.example"
    answer = await listening.get("/x.json", "Range: bytes=0-1", 'If-None-Match: "x"', host=host)
    assert status_of(answer) == 404
    assert b"content-type: text/html\r\n" in answer
    assert b"cache-control: public, max-age=29030400, immutable\r\n" in answer
    assert answer.endswith(b"it is gone")


async def test_redirects_are_only_for_sites_of_their_own(listening: Listening) -> None:
    root = listening.add_website(b"/* /page.html 200")
    assert status_of(await listening.get(f"/ipfs/{root}/x", host="paths.example")) == 404
    host = f"{root}.ipfs.gateway.example"
    assert status_of(await listening.get("/x?format=raw", host=host)) == 404
    proof = await listening.get("/x?format=car", host=host)  # the blocks that prove the absence
    assert b"x-ipfs-roots: %b\r\n" % root.encode() in proof


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(b"/a /b 301!", id="forced"),
        pytest.param(b"#" * (1 << 16) + b"\n", id="too-large"),
        pytest.param(b"/* //evil.example/ 302", id="leaves-the-host"),
        pytest.param(b"/* /^" + b":splat" * 10_000, id="makes-too-much"),
    ],
)
async def test_bad_redirects_are_an_error_of_the_website(
    listening: Listening, rules: bytes
) -> None:
    root = listening.add_website(rules)
    answer = await listening.get(f"/{'x' * 1000}", host=f"{root}.ipfs.gateway.example")
    assert status_of(answer) == 500
    assert location_of(answer) == ""
    assert b"could not parse _redirects:" in answer
    found = await listening.get("/page.html", host=f"{root}.ipfs.gateway.example")
    assert status_of(found) == 200


async def test_redirects_that_are_no_file_are_an_error(listening: Listening) -> None:
    folder = collect(build_directory([]))
    root = listening.add(collect(build_directory([("_redirects", folder[0])])), folder)
    answer = await listening.get("/x", host=f"{root}.ipfs.gateway.example")
    assert status_of(answer) == 500


async def test_a_file_has_no_redirects(listening: Listening) -> None:
    root = listening.add(collect(build_file(b"x" * 3_000_000)))
    answer = await listening.get("/x", host=f"{root}.ipfs.gateway.example")
    assert status_of(answer) == 404
    assert parse_cid(root).version == 1


@pytest.mark.parametrize(
    ("host", "target", "accept", "status", "text"),
    [
        pytest.param("example.com", f"/routing/v1/ipns/{KEY}", "", 200, RECORD, id="routing"),
        pytest.param(
            "gateway.example", f"/routing/v1/ipns/{KEY}", RECORD_TYPE, 200, RECORD, id="gateway"
        ),
        pytest.param(
            "example.com", f"/routing/v1/ipns/{PEER_ID}", "*/*", 200, RECORD, id="peer-id"
        ),
        pytest.param(
            "example.com", f"/routing/v1/ipns/{KEY}", "application/json", 406, b"", id="json"
        ),
        pytest.param("example.com", "/routing/v1/ipns/site.example", "", 400, b"", id="domain"),
        pytest.param("example.com", "/routing/v1/ipns/bafkqaaa", "", 400, b"", id="not-a-key"),
        pytest.param(
            "example.com", f"/routing/v1/ipns/{OTHER}", "", 404, b"not found", id="absent"
        ),
        pytest.param("example.com", "/routing/v1/providers/bafkqaaa", "", 404, b"", id="providers"),
        pytest.param(
            "site.example.ipns.gateway.example",
            f"/routing/v1/ipns/{KEY}",
            "",
            404,
            b"no link",
            id="website",
        ),
        pytest.param(
            "example.com", f"/ipns/{KEY}?format=ipns-record", "", 200, RECORD, id="format"
        ),
        pytest.param("example.com", f"/ipns/{KEY}/a?format=ipns-record", "", 400, b"", id="path"),
        pytest.param(
            "example.com", "/ipfs/bafkqaaa?format=ipns-record", "", 400, b"", id="immutable"
        ),
    ],
)
async def test_records_are_handed_on(
    listening: Listening, host: str, target: str, accept: str, status: int, text: bytes
) -> None:
    lines = [f"Accept: {accept}"] if accept else []
    answer = await listening.get(target, *lines, host=host)
    assert status_of(answer) == status, answer
    assert text in answer


async def test_a_record_has_the_fields_of_its_format(listening: Listening) -> None:
    answer = await listening.get(f"/ipns/{KEY}", f"Accept: {RECORD_TYPE}")
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    etag = next(line for line in lines if line.startswith("etag: ")).removeprefix("etag: ")
    assert body == RECORD
    assert f"content-type: {RECORD_TYPE}" in lines
    assert "cache-control: public, max-age=60" in lines
    assert "x-content-type-options: nosniff" in lines
    assert f"content-location: /ipns/{KEY}?format=ipns-record" in lines
    assert any(f'attachment; filename="{KEY}.ipns-record"' in line for line in lines)
    known = await listening.get(f"/ipns/{KEY}?format=ipns-record", f"If-None-Match: {etag}")
    assert status_of(known) == 304
    head_only = await listening.get(f"/ipns/{KEY}?format=ipns-record", method="HEAD")
    assert head_only.endswith(b"\r\n\r\n")
