import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multiformats import CID as ORACLE
from multiformats import multibase

from gateway.content.cid import (
    CODEC_NAMES,
    DAG_PB,
    LIBP2P_KEY,
    RAW,
    Cid,
    decode_cid,
    make_cid,
    parse_cid,
    sha256_cid,
)
from gateway.content.multihash import IDENTITY, SHA2_256
from gateway.errors import BadCid
from tests.refusal import check_refused
from tests.strategies import cids

DIRECTORY_V0 = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"  # the empty one
DIRECTORY_V1 = "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354"
EMPTY_RAW = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
SHA2_256_OF_NOTHING = hashlib.sha256(b"").digest()
IDENTITY_129 = "bafkqbai" + "bifaucqk" * 25 + "bifaucqi"
BASES = ("base16", "base32", "base36", "base58btc", "base64url", "base32upper", "base36upper",
         "base16upper", "base32hex", "base58flickr", "base64", "base64pad", "base32z")  # fmt: skip


@pytest.mark.parametrize(
    ("text", "version", "codec", "code"),
    [
        pytest.param(DIRECTORY_V0, 0, DAG_PB, SHA2_256, id="v0"),
        pytest.param(DIRECTORY_V1, 1, DAG_PB, SHA2_256, id="v1-dag-pb"),
        pytest.param(EMPTY_RAW, 1, RAW, SHA2_256, id="v1-raw"),
        pytest.param("bafyaabakaieac", 1, DAG_PB, IDENTITY, id="identity-dag-pb"),
        pytest.param("bafkqaaa", 1, RAW, IDENTITY, id="identity-empty"),
        pytest.param(
            "k51qzi5uqu5dlvj2baxnqndepeb86cbk3ng7n3i46uzyxzyqj2xjonzllnv0v8",
            1,
            LIBP2P_KEY,
            IDENTITY,
            id="libp2p-key",
        ),
    ],
)
def test_parse_cid_knows_its_parts_and_gives_its_text_back(
    text: str, version: int, codec: int, code: int
) -> None:
    cid = parse_cid(text)
    assert (cid.version, cid.codec, cid.hash_code) == (version, codec, code)
    assert cid.is_identity is (code == IDENTITY)
    assert str(cid) == text


def test_digest_is_the_hash_of_the_content() -> None:
    assert parse_cid(EMPTY_RAW).digest == SHA2_256_OF_NOTHING


def test_both_versions_of_a_cid_share_one_multihash() -> None:
    old, new = parse_cid(DIRECTORY_V0), parse_cid(DIRECTORY_V1)
    assert old != new
    assert old.multihash == new.multihash
    assert old.as_v1() == new
    assert new.as_v1() is new


def test_sha256_cid_is_made_of_a_digest() -> None:
    assert str(sha256_cid(RAW, SHA2_256_OF_NOTHING)) == EMPTY_RAW
    assert make_cid(RAW, SHA2_256, SHA2_256_OF_NOTHING) == sha256_cid(RAW, SHA2_256_OF_NOTHING)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "empty", id="empty"),
        pytest.param("b", "does not end", id="prefix-alone"),
        pytest.param("Qm" + "1" * 300, "302 characters are more than 256", id="too-long"),
        pytest.param("QmInvalidCID", "no multibase", id="v0-too-short"),
        pytest.param(DIRECTORY_V0[:-1], "no multibase", id="v0-cut"),
        pytest.param(DIRECTORY_V0 + "a", "no multibase", id="v0-and-more"),
        pytest.param("Qm" + "z" * 44, "34 bytes", id="v0-of-another-hash"),
        pytest.param("Qm" + "0" * 44, "not base58", id="v0-foreign-character"),
        pytest.param("z" + DIRECTORY_V0, "no multibase prefix", id="v0-with-multibase"),
        pytest.param("f1220" + "00" * 32, "no multibase prefix", id="v0-in-base16"),
        pytest.param("f121f" + "00" * 31, "version 18", id="cut-v0-in-base16"),
        pytest.param(DIRECTORY_V1[:-1], "not zero|does not end|on a byte", id="v1-cut"),
        pytest.param(DIRECTORY_V1 + "aaaaaaaa", "5 bytes follow", id="v1-and-more"),
        pytest.param("b" + DIRECTORY_V1[1:].upper(), "not lower-case", id="upper-after-b"),
        pytest.param(DIRECTORY_V1 + "======", "on a byte|not lower-case", id="padding"),
        pytest.param("f0055", "version 0 does not", id="version-0"),
        pytest.param("f0255" + "1220" + "00" * 32, "version 2 does not", id="version-2"),
        pytest.param("fff0155", "version 255 does not", id="version-255"),
        pytest.param("f8100551220" + "00" * 32, "not minimal", id="version-not-minimal"),
        pytest.param("f01d5001220" + "00" * 32, "not minimal", id="codec-not-minimal"),
        pytest.param("f01ffffffffffffffffff01", "longer than 9 bytes", id="codec-of-10-bytes"),
        pytest.param("f015512a000" + "00" * 32, "not minimal", id="length-not-minimal"),
        pytest.param("f01551214" + "00" * 20, "has 32 bytes, not 20", id="cut-digest"),
        pytest.param("f01551220" + "00" * 31, "does not end", id="short-digest"),
        pytest.param("f01551220" + "00" * 33, "1 bytes follow", id="long-digest"),
        pytest.param("f0155d50110" + "00" * 16, "md5", id="md5"),
        pytest.param(IDENTITY_129, "holds 129 bytes", id="identity-129"),
    ],
)
def test_parse_cid_refuses(text: str, reason: str) -> None:
    check_refused(BadCid, reason, parse_cid, text)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "does not end", id="empty"),
        pytest.param(b"\x12\x20" + bytes(31), "a digest does not end", id="v0-cut"),
        pytest.param(b"\x01\x55\x12\x20" + bytes(31), "a digest does not end", id="v1-cut"),
        pytest.param(b"\x01\x55\x12", "does not end", id="v1-without-length"),
        pytest.param(b"\x01", "does not end", id="version-alone"),
    ],
)
def test_decode_cid_refuses(data: bytes, reason: str) -> None:
    check_refused(BadCid, reason, decode_cid, data)


@pytest.mark.property
@given(cids(), st.binary(max_size=5), st.binary(max_size=5))
def test_decode_cid_undoes_encode_anywhere(cid: Cid, before: bytes, after: bytes) -> None:
    data = cid.encode()
    assert decode_cid(before + data + after, len(before)) == (cid, len(before) + len(data))


@pytest.mark.property
@given(cids(), st.integers(min_value=1))
def test_a_cut_cid_is_refused(cid: Cid, cut: int) -> None:
    data = cid.encode()
    with pytest.raises(BadCid, match=r"does not end|version 18"):
        decode_cid(data[: -1 - cut % len(data)])


@pytest.mark.property
@given(cids(), st.binary(min_size=1, max_size=8))
def test_a_cid_with_more_after_it_is_refused(cid: Cid, after: bytes) -> None:
    v1 = cid.as_v1()
    with pytest.raises(BadCid, match="bytes follow"):
        parse_cid("f" + (v1.encode() + after).hex())


@pytest.mark.property
@given(cids())
def test_parse_cid_undoes_str(cid: Cid) -> None:
    assert parse_cid(str(cid)) == cid


@pytest.mark.property
@given(st.sampled_from(BASES), cids().map(Cid.as_v1).filter(lambda cid: len(cid.encode()) <= 120))
def test_every_text_form_gives_one_value(base: str, cid: Cid) -> None:
    text = multibase.get(base).encode(cid.encode())
    assert parse_cid(text) == cid
    assert hash(parse_cid(text)) == hash(cid)


@pytest.mark.property
@given(cids(codecs=st.sampled_from(sorted(CODEC_NAMES))))
def test_cid_agrees_with_multiformats(cid: Cid) -> None:
    theirs = ORACLE.decode(str(cid))
    assert theirs.version == cid.version
    assert theirs.codec.code == cid.codec
    assert theirs.digest == cid.multihash
    assert bytes(theirs) == cid.encode()
    assert ORACLE.decode(cid.encode()) == (
        theirs if cid.version == 0 else theirs.set(base="base58btc")
    )
