import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.block import (
    MAX_BLOCK_BYTES,
    TAG_BYTES,
    Block,
    identity_block,
    make_tag,
    rename,
    verify,
    verify_tag,
)
from gateway.content.cid import DAG_CBOR, DAG_PB, RAW, Cid, make_cid, parse_cid, sha256_cid
from gateway.content.multihash import HASHES, IDENTITY, MAX_IDENTITY_BYTES
from gateway.errors import BadBlock, BadCid
from tests.fakes.blocks import block_of
from tests.refusal import check_refused
from tests.strategies import blocks

HELLO = sha256_cid(RAW, hashlib.sha256(b"hello").digest())


def test_verify_makes_a_block_of_what_its_cid_names() -> None:
    block = verify(HELLO, b"hello")
    assert (block.cid, block.data) == (HELLO, b"hello")


@pytest.mark.parametrize("code", [pytest.param(c, id=h.name) for c, h in HASHES.items()])
def test_verify_knows_every_hash_function(code: int) -> None:
    cid = make_cid(RAW, code, HASHES[code].digest(b"hello"))
    assert verify(cid, b"hello").data == b"hello"
    with pytest.raises(BadBlock, match="do not match the CID"):
        verify(cid, b"hellO")


@pytest.mark.parametrize("data", [b"", b"hell", b"hello ", b"Hello"])
def test_verify_refuses_other_bytes(data: bytes) -> None:
    check_refused(
        BadBlock, f"malformed block in block {HELLO}: the bytes do not match", verify, HELLO, data
    )


def test_verify_takes_the_largest_block_and_no_larger() -> None:
    data = bytes(MAX_BLOCK_BYTES)
    cid = sha256_cid(RAW, hashlib.sha256(data).digest())
    assert verify(cid, data).data is data
    larger = data + b"\0"
    cid = sha256_cid(RAW, hashlib.sha256(larger).digest())
    with pytest.raises(BadBlock, match="2097153 bytes are more than 2097152"):
        verify(cid, larger)


@pytest.mark.parametrize("size", [4, 31, 33])
def test_verify_refuses_cids_whose_digest_was_cut_or_stretched(size: int) -> None:
    digest = (hashlib.sha256(b"hello").digest() + b"\0")[:size]
    with pytest.raises(BadCid, match=f"32 bytes, not {size}"):
        verify(sha256_cid(RAW, digest), b"hello")


def test_nothing_but_verify_makes_a_block() -> None:
    with pytest.raises(TypeError, match="only gateway"):
        Block(HELLO, b"not hello")


def test_identity_block_is_carried_by_its_cid() -> None:
    cid = make_cid(RAW, IDENTITY, b"hello")
    assert identity_block(cid) == verify(cid, b"hello")
    with pytest.raises(BadBlock, match="do not match"):
        verify(cid, b"other")


def test_identity_block_of_another_hash_is_refused() -> None:
    with pytest.raises(ValueError, match=f"{HELLO} does not carry its content"):
        identity_block(HELLO)


def test_identity_block_over_the_limit_is_refused() -> None:
    cid = make_cid(RAW, IDENTITY, bytes(MAX_IDENTITY_BYTES + 1))
    with pytest.raises(BadCid, match="129 bytes"):
        identity_block(cid)


def test_rename_gives_the_same_bytes_under_another_codec() -> None:
    block = verify(HELLO, b"hello")
    other = rename(block, Cid(1, DAG_CBOR, HELLO.multihash))
    assert (other.cid.codec, other.data) == (DAG_CBOR, b"hello")
    assert rename(block, HELLO) is block


def test_rename_to_other_bytes_is_refused() -> None:
    empty = parse_cid("QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH")
    assert empty.codec == DAG_PB
    with pytest.raises(ValueError, match=f"{empty} does not name the bytes of {HELLO}"):
        rename(verify(HELLO, b"hello"), empty)


@pytest.mark.property
@given(blocks(max_size=64), st.integers(min_value=0))
def test_a_flipped_bit_is_always_found(block: Block, bit: int) -> None:
    data = bytearray(block.data + b"\0")
    data[(bit // 8) % len(data)] ^= 1 << bit % 8
    with pytest.raises(BadBlock, match="do not match"):
        verify(block.cid, bytes(data))


def test_a_block_comes_back_in_by_its_tag() -> None:
    block = block_of(b"data")
    tag = make_tag(bytes(32), block.cid.multihash, block.data)
    assert verify_tag(block.cid, block.data, tag, bytes(32)) == block
    assert len(tag) == TAG_BYTES


@pytest.mark.parametrize(
    ("data", "key"),
    [
        pytest.param(b"Data", bytes(32), id="other-bytes"),
        pytest.param(b"data", bytes(31) + b"x", id="other-key"),
    ],
)
def test_a_tag_that_does_not_fit_is_refused(data: bytes, key: bytes) -> None:
    block = block_of(b"data")
    tag = make_tag(bytes(32), block.cid.multihash, block.data)
    with pytest.raises(BadBlock, match="do not match their tag"):
        verify_tag(block.cid, data, tag, key)
