"""The `_redirects` file: what its lines mean, and what is wrong with them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadRedirects
from gateway.protocol.redirects_file import (
    MAX_FILE_BYTES,
    Match,
    Rule,
    find_match,
    parse_redirects,
    with_query,
)

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
        pytest.param(b"/a b", "'b' is not a place", id="relative-to"),
        pytest.param(b"/a ftp://b", "'ftp://b' is not a place", id="other-scheme"),
        pytest.param(b"/a https://b 200", "not a place that status 200", id="rewrite-to-url"),
        pytest.param(b"/*/a /b", "an asterisk can only be the last", id="splat-in-the-middle"),
        pytest.param(b"/a* /b", "an asterisk can only be the last", id="asterisk-in-a-name"),
        pytest.param(b"/:a/:a /b", "twice", id="placeholder-twice"),
        pytest.param(b"/a /\xff", "not UTF-8", id="encoding"),
        pytest.param(b"#" * (MAX_FILE_BYTES + 1), "size cannot exceed 65536 bytes", id="size"),
    ],
)
def test_what_is_not_a_rule_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(BadRedirects, match=f"^could not parse _redirects: .*{reason}"):
        parse_redirects(data)


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
