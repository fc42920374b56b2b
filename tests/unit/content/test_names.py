"""Keys and domains in all their spellings."""

import pytest

from gateway.content.cid import LIBP2P_KEY, Cid, parse_cid
from gateway.content.names import parse_key, parse_name
from gateway.content.path import MutablePath, parse_path, parse_target
from gateway.errors import BadCid, BadPath
from tests.refusal import check_refused

ED25519 = "k51qzi5uqu5dk3v4rmjber23h16xnr23bsggmqqil9z2gduiis5se8dht36dam"
RSA = "k2k4r8m7xvggw5pxxk3abrkwyer625hg01hfyggrai7lk1m63fuihi7w"


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        pytest.param(ED25519, ED25519, id="base36"),
        pytest.param("12D3KooWLQzUv2FHWGVPXTXSZpdHs7oHbXub2G5WC8Tx4NQhyd2d", ED25519, id="peer-id"),
        pytest.param("QmVujd5Vb7moysJj8itnGufN7MEtPRCNHkKpNuA4onsRa3", RSA, id="rsa-peer-id"),
        pytest.param(
            "bafybeidqwpzlybhydyv3kxifsnqhhswmp3gasyv4j3xdrtsivzikxk6ocy", None, id="dag-pb"
        ),
    ],
)
def test_a_key_has_one_canonical_text(text: str, canonical: str | None) -> None:
    key = parse_key(text)
    assert (key.version, key.codec) == (1, LIBP2P_KEY)
    assert str(key) == (canonical or str(Cid(1, LIBP2P_KEY, parse_cid(text).multihash)))
    assert parse_key(str(key)) == key


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("bafkqaaa", "codec libp2p-key", id="raw"),
        pytest.param("localhost", "no multibase", id="single-label"),
        pytest.param("127.0.0.1", "no multibase", id="address"),
        pytest.param("12D3KooW", "does not end", id="cut"),
        pytest.param("12D3KooW1", "3 bytes follow the digest", id="longer-than-its-digest"),
        pytest.param("", "is empty", id="empty"),
    ],
)
def test_parse_name_refuses(text: str, reason: str) -> None:
    check_refused(BadCid, reason, parse_name, text)


def test_a_mutable_path_keeps_how_it_was_written() -> None:
    path = parse_path(b"/ipns/12D3KooWLQzUv2FHWGVPXTXSZpdHs7oHbXub2G5WC8Tx4NQhyd2d/a%20b/")
    assert path == MutablePath(parse_key(ED25519), ("a b",), is_directory=True)
    assert path.root_text.startswith("12D3")
    assert (path.namespace, str(path)) == ("ipns", f"/ipns/{ED25519}/a b/")


def test_parse_target_undoes_no_escapes() -> None:
    path = parse_target("/ipns/example.com/a%20b/../ä")
    assert path == MutablePath("example.com", ("ä",))
    assert path.root_text == "example.com"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "does not start with a slash", id="empty"),
        pytest.param("ipfs://bafkqaaa", "does not start with a slash", id="uri"),
        pytest.param("bafkqaaa", "does not start with a slash", id="bare-cid"),
        pytest.param("/http://example.com", "a content path is", id="other-namespace"),
        pytest.param("/ipfs/bafkqaaa/../..", "above its root", id="above"),
        pytest.param("/ipfs/bafkqaaa/\0", "NUL", id="nul"),
        pytest.param("/ipfs/bafkqaaa/\ud800" + "a" * 9000, "more than 8192", id="long"),
    ],
)
def test_parse_target_refuses(text: str, reason: str) -> None:
    check_refused(BadPath, reason, parse_target, text)
