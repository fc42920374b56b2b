"""Lines of denylists as rules: https://specs.ipfs.tech/compact-denylist-format/ (IPIP-383)."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.deny_rules import (
    GONE,
    LEGAL,
    MAX_HEADER_BYTES,
    MAX_REASON_CHARACTERS,
    BadDenylist,
    Header,
    parse_rule,
    read_header,
)
from tests.refusal import check_refused

ROOT = "QmecDgNqCRirkc3Cjz9eoRBNwXGckJ9WvTdmY16HP88768"


@pytest.mark.parametrize(
    ("data", "header"),
    [
        pytest.param(b"", Header(), id="nothing"),
        pytest.param(b"/ipfs/x\n", Header(), id="none"),
        pytest.param(b"---\n/ipfs/x\n", Header(size_bytes=4), id="empty"),
        pytest.param(b"---", Header(size_bytes=3), id="nothing-else"),
        pytest.param(b"version: 1\nname: a\n---\n", Header("a", {}, 23), id="name"),
        pytest.param(b"other: 1\r\n---\r\n/x", Header("", {}, 15), id="unknown-field-and-crlf"),
        pytest.param(
            b"hints:\n  a: b\n  gateway_status: 451\n---\n",
            Header("", {"a": "b", "gateway_status": "451"}, 40),
            id="hints",
        ),
        pytest.param(b"hints:\n---\n", Header("", {}, 11), id="no-hints"),
        pytest.param(b"#" * MAX_HEADER_BYTES + b"\n---\n", Header(), id="too-long-is-none"),
    ],
)
def test_a_header_is_read(data: bytes, header: Header) -> None:
    assert read_header(data) == header


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"a: [\n---\n", "not valid YAML", id="syntax"),
        pytest.param(b"a: \xff\n---\n", "not valid YAML", id="not-utf-8"),
        pytest.param(b"[" * 100_000 + b"\n---\n", "not valid YAML", id="deep"),
        pytest.param(b"!!python/object:os.system {}\n---\n", "not valid YAML", id="object"),
        pytest.param(b"- a\n---\n", "not a YAML map", id="list"),
        pytest.param(b"/ipfs/x\n---\n", "not a YAML map", id="a-rule"),
        pytest.param(b"version: 2\n---\n", "not of version 1", id="version"),
        pytest.param(
            b"a: &a [x, x]\nb: &b [*a, *a]\nversion: [*b, *b]\n---\n",
            "not of version",
            id="aliases",
        ),
        pytest.param(b"hints: 1\n---\n", "hints .* not a YAML map", id="hints"),
    ],
)
def test_a_bad_header_is_refused(data: bytes, reason: str) -> None:
    check_refused(BadDenylist, reason, read_header, data)


@pytest.mark.parametrize("line", ["", "   ", "# a comment", "#/ipfs/x"])
def test_empty_lines_and_comments_are_no_rules(line: str) -> None:
    assert parse_rule(line) is None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param("ipfs/x", "a rule is", id="no-slash"),
        pytest.param("/ipld/x", "a rule is", id="namespace"),
        pytest.param("/ipfs/", "a rule is", id="no-root"),
        pytest.param("/", "a rule is", id="slash"),
        pytest.param("!", "a rule is", id="allow-nothing"),
        pytest.param("!!/ipfs/x", "a rule is", id="allow-twice"),
        pytest.param("/ipfs/nothing", "invalid CID", id="cid"),
        pytest.param(f"/ipfs/{ROOT}*", "invalid CID", id="star-in-the-root"),
        pytest.param("/ipns/nothing", "invalid CID", id="name"),
        pytest.param("//", "a double hash is", id="no-hash"),
        pytest.param("//abc", "a double hash is", id="short-hash"),
        pytest.param("//" + "0" * 63, "a double hash is", id="hex-too-short"),
        pytest.param("//" + "1" * 10_000, "a double hash is", id="long"),
        pytest.param("//1W9gxgj", "a double hash is", id="no-hash-function"),
    ],
)
def test_what_is_no_rule_is_refused_with_the_reason(line: str, reason: str) -> None:
    check_refused(BadDenylist, reason, parse_rule, line)


@pytest.mark.parametrize(
    ("line", "hints", "status", "reason"),
    [
        pytest.param("", {}, GONE, "", id="none"),
        pytest.param("", {"gateway_status": "451"}, LEGAL, "", id="of-the-header"),
        pytest.param(" gateway_status:410", {"gateway_status": "451"}, GONE, "", id="line-wins"),
        pytest.param(" gateway_status:200", {}, GONE, "", id="no-such-status"),
        pytest.param(" a b:c reason:see%20order%207", {}, GONE, "see order 7", id="reason"),
        pytest.param(" reason:" + "x" * 999, {}, GONE, "x" * MAX_REASON_CHARACTERS, id="long"),
    ],
)
def test_hints_say_status_and_reason(
    line: str, hints: dict[str, str], status: int, reason: str
) -> None:
    rule = parse_rule(f"/ipfs/{ROOT}{line}", hints)
    assert rule is not None
    assert (rule.status, rule.reason) == (status, reason)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(f"/ipfs/{ROOT}", f"/ipfs/{ROOT}/", id="slash"),
        pytest.param(f"/ipfs/{ROOT}/a", f"/ipfs/{ROOT}//a/", id="slashes"),
        pytest.param(f"/ipfs/{ROOT}/%61b", f"/ipfs/{ROOT}/ab", id="escapes"),
        pytest.param(f"/ipfs/{ROOT}/a*", f"/ipfs/{ROOT}/a/*", id="prefixes"),
        pytest.param("/ipns/Domain.Example.", "/ipns/domain.example", id="domain"),
        pytest.param(
            f"/ipfs/{ROOT}",
            "/ipfs/bafybeihrw75yfhdx5qsqgesdnxejtjybscwuclpusvxkuttep6h7pkgmze",
            id="version",
        ),
        pytest.param(
            "/ipfs/gW7Nhu4HrfDtphEivm3Z9NNE7gpdh5Tga8g6JNZc1S8E47",
            "/ipfs/bafyb4ieqht3b2rssdmc7sjv2cy2gfdilxkfh7623nvndziyqnawkmo266a",
            id="bare-multihash",
        ),
    ],
)
def test_spellings_of_one_rule_are_equal(one: str, other: str) -> None:
    assert parse_rule(one) == parse_rule(other)


def test_an_anchor_of_the_old_list_needs_no_other_hash_function() -> None:
    rule = parse_rule("//d9d295bde21f422d471a90f2a37ec53049fdf3e5fa3ee2e8f20e10003da429e7")
    assert rule is not None
    assert (rule.is_legacy, rule.hash_code, len(rule.keys)) == (True, None, 1)


@pytest.mark.property
@given(
    st.text()
    | st.sampled_from(["/ipfs/", "/ipns/", "//"]).flatmap(
        lambda start: st.text().map(lambda rest: start + rest)
    )
)
def test_any_line_is_a_rule_or_refused(line: str) -> None:
    with suppress(BadDenylist):
        parse_rule(line)
