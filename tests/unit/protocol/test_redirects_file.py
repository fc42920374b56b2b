"""The `_redirects` file: what its lines mean, and what is wrong with them."""

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadRedirects
from gateway.protocol import redirects_file as module
from gateway.protocol.redirects_file import (
    MAX_FILE_BYTES,
    MAX_TARGET_BYTES,
    Match,
    Rule,
    find_match,
    parse_redirects,
    with_query,
)
from tests.refusal import check_refused

# The example of the specification's appendix, in our order of importance.
EXAMPLES = b"""
# comment /x /y
/redirect-one /one.html
/302-redirect-two\t /two.html  302
/200-index /index.html 200
/posts/:year/:month/:title /articles/:year/:month/:title 301
/splat/* /redirected-splat/:splat 301
/not-found/* /404.html 404
/away/:who https://example.com:8080/u/:who?from=:who 307
/first /a
/first /b
/* /index.html 200
"""


@pytest.mark.parametrize(
    ("path", "to", "status"),
    [
        pytest.param("redirect-one", "/one.html", 301, id="default-status"),
        pytest.param("302-redirect-two", "/two.html", 302, id="status"),
        pytest.param("200-index", "/index.html", 200, id="rewrite"),
        pytest.param("posts/2022/01/hello", "/articles/2022/01/hello", 301, id="placeholders"),
        pytest.param("splat/a/b c", "/redirected-splat/a/b%20c", 301, id="splat"),
        pytest.param("splat", "/redirected-splat/", 301, id="splat-of-nothing"),
        pytest.param("not-found/x", "/404.html", 404, id="page"),
        pytest.param(
            "away/ä?b", "https://example.com:8080/u/%C3%A4%3Fb?from=%C3%A4%3Fb", 307, id="url"
        ),
        pytest.param("first", "/a", 301, id="first-wins"),
        pytest.param("posts/2022", "/index.html", 200, id="too-short-for-a-rule"),
        pytest.param("redirect-one/more", "/index.html", 200, id="too-long-for-a-rule"),
    ],
)
def test_a_rule_leads_somewhere(path: str, to: str, status: int) -> None:
    assert find_match(parse_redirects(EXAMPLES), path.split("/")) == Match(to, status)


def test_no_rule_is_no_match() -> None:
    assert find_match(parse_redirects(b"/a /b"), ("c",)) is None


def test_a_slash_in_a_name_does_not_become_one_in_the_path() -> None:
    match = find_match(parse_redirects(b"/go/:to /:to"), ("go", "/evil.example"))
    assert match == Match("/%2Fevil.example", 301)


@pytest.mark.parametrize(
    ("rule", "path", "to"),
    [
        pytest.param("/* /#/:splat", "a b/c", "/#/a%20b/c", id="fragment"),
        pytest.param("/* /#:splat", "50%/#x", "/#50%25/%23x", id="fragment-of-odd-names"),
        pytest.param("/a /b?x[]=1#y", "a", "/b?x[]=1#y", id="finished-url"),
        pytest.param("/a /b%2fc%C3%A4?x=%26", "a", "/b%2Fc%C3%A4?x=%26", id="escapes-stay"),
        pytest.param("/a /ä<b>", "a", "/%C3%A4%3Cb%3E", id="what-no-url-has"),
        pytest.param("/s/* /find?q=:splat", "s/a&b=c+d", "/find?q=a%26b%3Dc%2Bd", id="query"),
        pytest.param("/s/* /find?q=:splat", "s/a/b", "/find?q=a/b", id="splat-in-a-query"),
        pytest.param("/s/:q /:q?:q#:q", "s/a?&#", "/a%3F&%23?a%3F%26%23#a?&%23", id="all-parts"),
        pytest.param(
            "/:u https://x.example:u/",
            "@evil.example",
            "https://x.example%40evil.example/",
            id="host",
        ),
        pytest.param("/x/* /:splat/evil.example", "x", "/evil.example", id="splat-of-nothing"),
        pytest.param("/x/* /:splat:splat//e", "x", "/e", id="splats-of-nothing"),
        pytest.param("/a /:b", "a", "/:b", id="no-such-placeholder"),
    ],
)
def test_what_was_found_is_escaped_for_where_it_is_put(rule: str, path: str, to: str) -> None:
    """Issue 12, 16: the finished URL was escaped again, its fragment and query, too."""
    assert find_match(parse_redirects(rule.encode()), path.split("/")) == Match(to, 301)


@given(
    st.lists(
        st.sampled_from([":a", ":splat", "/", "\\", ".", "x", "?", "#", "%", "@"]), max_size=8
    ),
    st.lists(st.text(min_size=1, alphabet="/\\.@:%x\t"), min_size=1, max_size=3),
)
def test_a_path_never_becomes_another_host(to: list[str], segments: list[str]) -> None:
    """Issue 12, 4."""
    with suppress(BadRedirects):
        match = find_match(parse_redirects(f"/:a/* /{''.join(to)}".encode()), segments)
        assert match is not None
        assert re.match(r"/(?![/\\])[!-\[\]-~]*\Z", match.to)


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(b"/:a/* /^" + b":a" * 30_000, id="placeholder"),
        pytest.param(b"/:a/* /^" + b":splat" * 10_000, id="splat"),
        pytest.param(b"/* /" + b"x" * 65_000, id="literal"),
        pytest.param("/* /{}".format("ä" * 3_000).encode(), id="literal-escaped"),
    ],
)
def test_what_a_rule_makes_of_a_path_has_a_bound(rule: bytes) -> None:
    """Issue 12, 19: 64 KiB of rule and 8 kB of request were 258 MB of Location."""
    check_refused(
        BadRedirects,
        "a rule expands this path to more than 8192 bytes",
        find_match,
        parse_redirects(rule),
        ("%" * 2_000, "ä" * 1_000),
    )


def test_as_much_as_the_bound_is_made() -> None:
    match = find_match(parse_redirects(b"/* /:splat"), ("x" * (MAX_TARGET_BYTES - 1),))
    assert match is not None
    assert len(match.to) == MAX_TARGET_BYTES


def test_only_what_is_sent_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue 12, 19: 3,600 rules each escaped a path of 7.8 kB."""
    escaped: list[str] = []

    def escape(name: str) -> str:
        escaped.append(name)
        return name

    monkeypatch.setattr(module, "escape_segment", escape)
    rules = b"".join(b"/:a/:b/%d /n\n" % number for number in range(3_600))
    assert find_match(parse_redirects(rules), ("x" * 4_000, "y" * 3_800, "z")) is None
    last = parse_redirects(rules + b"/:a/:b/z /:a/:a\n")
    match = find_match(last, ("x", "y", "z"))
    assert match == Match("/x/x", 301)
    assert escaped == ["x"]


def test_rules_are_kept_by_what_they_weigh() -> None:
    """Issue 12, 19: 64 files of the largest size kept 92 MiB."""
    small = parse_redirects(b"/a /b")
    assert parse_redirects(b"/a /b") is small
    for number in range(64):
        parse_redirects(b"/%d/" % number + b"ab/" * 21_000 + b" /")
    assert module._memo.weight <= module.MAX_MEMO_BYTES
    assert len(module._memo) < 16
    assert parse_redirects(b"/a /b") == small
    worst = b"/ /\n" * (MAX_FILE_BYTES // 4)
    assert parse_redirects(worst) is parse_redirects(worst)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"/a /b 302\r\n\r\n/c /d", id="crlf"),
        pytest.param(b"\xef\xbb\xbf/a /b 302\n/c /d", id="byte-order-mark"),
        pytest.param(b"  /a\t/b   302\n\n#x\n/c /d\n", id="white-space"),
        pytest.param(b"/a/ /b 302\n/c /d", id="final-slash"),
    ],
)
def test_lines_are_read_leniently(data: bytes) -> None:
    rules = parse_redirects(data)
    assert rules == (Rule(("a",), False, "/b", 302), Rule(("c",), False, "/d", 301))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"/a /b 301!", r"line 1: forced redirects \(or \"shadowing\"\)", id="forced"),
        pytest.param(b"/x /y\n/a /b 42", "line 2: status code 42 is not supported", id="code"),
        pytest.param(b"/a /b abc", "'abc' is not a status", id="no-number"),
        pytest.param(b"/a", "`from to", id="one-field"),
        pytest.param(b"/a /b 301 x", "`from to", id="four-fields"),
        pytest.param(b"a /b", "'a' does not start with a slash", id="relative-from"),
        pytest.param(b"/a b", "'b' is not a valid", id="relative-to"),
        pytest.param(b"/a ftp://b", "'ftp://b' is not a valid", id="other-scheme"),
        pytest.param(b"/a https://b 200", "not a valid target for status 200", id="rewrite-to-url"),
        pytest.param(b"/a //evil.example/ 302", "not a valid", id="host-without-a-scheme"),
        pytest.param(b"/a ///evil.example 301", "not a valid", id="three-slashes"),
        pytest.param(b"/a /\\evil.example 307", "not a valid", id="backslash"),
        pytest.param(b"/a /\\/evil.example 308", "not a valid", id="backslash-and-slash"),
        pytest.param(b"/a /\x08/evil.example 303", "not a valid", id="control-before-a-slash"),
        pytest.param(b"/a /b\x7f 302", "not a valid", id="control"),
        pytest.param(b"/a /b\x00 200", "not a valid", id="control-in-a-rewrite"),
        pytest.param(b"/a https://b\x00c 302", "not a valid", id="control-in-a-host"),
        pytest.param(b"/a https://b/\x1a 302", "not a valid", id="control-in-a-url"),
        pytest.param(b"/a https:/evil.example", "not a valid", id="one-slash-after-a-scheme"),
        pytest.param(b"/a https:\\\\evil.example", "not a valid", id="scheme-and-backslashes"),
        pytest.param(b"/a /\t/evil.example", "is not a status", id="tab-between-slashes"),
        pytest.param(b"/*/a /b", "an asterisk can only be the last", id="splat-in-the-middle"),
        pytest.param(b"/a* /b", "an asterisk can only be the last", id="asterisk-in-a-name"),
        pytest.param(b"/:a/:a /b", "twice", id="placeholder-twice"),
        pytest.param(b"/a /\xff", "not UTF-8", id="encoding"),
        pytest.param(b"#" * (MAX_FILE_BYTES + 1), "size cannot exceed 65536 bytes", id="size"),
    ],
)
def test_what_is_not_a_rule_is_refused(data: bytes, reason: str) -> None:
    check_refused(BadRedirects, f"^could not parse _redirects: .*{reason}", parse_redirects, data)


def test_a_file_of_the_largest_size_is_taken() -> None:
    assert parse_redirects(b"#" * MAX_FILE_BYTES) == ()


@pytest.mark.parametrize(
    ("to", "query", "expected"),
    [
        pytest.param("/b", "", "/b", id="nothing"),
        pytest.param("/b", "x=1", "/b?x=1", id="added"),
        pytest.param("/b?y=2", "x=1", "/b?y=2&x=1", id="beside"),
        pytest.param("/b?x=2&y=3", "x=1", "/b?y=3&x=1", id="wins"),
        pytest.param("/b?x=2#part", "x=1", "/b?x=1#part", id="fragment"),
    ],
)
def test_the_query_is_kept(to: str, query: str, expected: str) -> None:
    assert with_query(to, query) == expected


@given(st.binary(max_size=200), st.lists(st.text(min_size=1), max_size=5))
def test_any_file_is_rules_or_an_error(data: bytes, segments: list[str]) -> None:
    try:
        match = find_match(parse_redirects(data), segments)
    except BadRedirects as error:
        assert str(error)  # noqa: PT017 (any outcome but another exception is right)
    else:
        assert match is None or match.status in (200, 301, 302, 303, 307, 308, 404, 410, 451)
