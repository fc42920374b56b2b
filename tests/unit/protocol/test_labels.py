"""Roots and domains as DNS labels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.cid import RAW, make_cid, parse_cid
from gateway.content.names import parse_key
from gateway.errors import BadLabel
from gateway.protocol.labels import domain_label, label_domain, root_label

KEY = "k51qzi5uqu5dk3v4rmjber23h16xnr23bsggmqqil9z2gduiis5se8dht36dam"


@pytest.mark.parametrize(
    ("text", "label"),
    [
        pytest.param("bafkqaaa", "bafkqaaa", id="base32"),
        pytest.param(
            "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn",
            "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354",
            id="v0",
        ),
        pytest.param(KEY, KEY, id="key"),
    ],
)
def test_a_root_is_one_label(text: str, label: str) -> None:
    cid = parse_key(text) if text.startswith("k") else parse_cid(text)
    assert root_label(cid) == label


def test_a_root_that_is_too_long_in_base32_is_base36() -> None:
    cid = make_cid(RAW, 0, b"x" * 36)  # 40 bytes: 65 characters in base32
    assert (root_label(cid)[0], len(root_label(cid))) == ("k", 62)
    assert parse_cid(root_label(cid)) == cid


def test_a_root_that_is_too_long_in_both_is_refused() -> None:
    cid = make_cid(RAW, 0x13, bytes(64))
    with pytest.raises(BadLabel, match="CID incompatible with DNS label length limit of 63"):
        root_label(cid)


@pytest.mark.parametrize(
    ("domain", "label"),
    [
        pytest.param("en.wikipedia-on-ipfs.org", "en-wikipedia--on--ipfs-org", id="both"),
        pytest.param("a--b.c", "a----b-c", id="two-dashes"),
    ],
)
def test_a_domain_is_one_label(domain: str, label: str) -> None:
    assert (domain_label(domain), label_domain(label)) == (label, domain)


def test_a_domain_that_is_too_long_is_refused() -> None:
    with pytest.raises(BadLabel, match="DNSLink name incompatible"):
        domain_label("a" * 40 + "." + "b" * 40)


LABEL = "[a-z0-9](-{0,3}[a-z0-9]){0,5}"


@given(st.from_regex(rf"{LABEL}(\.{LABEL}){{1,3}}", fullmatch=True))
def test_inlining_can_be_undone(domain: str) -> None:
    try:
        label = domain_label(domain)
    except BadLabel:
        return
    assert label_domain(label) == domain
