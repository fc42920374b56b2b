import csv
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multiformats import multihash as oracle

from gateway.content.multihash import (
    HASHES,
    IDENTITY,
    MAX_IDENTITY_BYTES,
    REFUSED_NAMES,
    SHA2_256,
    SHA2_256_PREFIX,
    decode_multihash,
    encode_multihash,
    matches,
)
from gateway.content.varint import encode_varint
from gateway.errors import BadCid
from tests.refusal import check_refused

DATA = Path(__file__).parents[2] / "data/multihash/test_cases.csv"
WHOLE_BITS = {"sha1": 160, "sha2-256": 256, "sha2-512": 512, "sha3": 512}


def _rows(*, whole: bool) -> list[object]:
    with DATA.open(encoding="ascii", newline="") as file:
        return [
            pytest.param(row["input"], row["multihash"], id=f"{row['algorithm']}-{row['bits']}-{n}")
            for n, row in enumerate(csv.DictReader(file))
            if (int(row["bits"]) == WHOLE_BITS[row["algorithm"]]) is whole
        ]


@pytest.mark.parametrize(("content", "multihash"), _rows(whole=True))
def test_public_digests_match_their_content(content: str, multihash: str) -> None:
    code, digest, end = decode_multihash(bytes.fromhex(multihash))
    assert end == len(multihash) // 2
    assert matches(code, digest, content.encode())
    assert not matches(code, digest, content.encode() + b"x")


@pytest.mark.parametrize(("_content", "multihash"), _rows(whole=False))
def test_public_digests_that_were_cut_are_refused(_content: str, multihash: str) -> None:
    check_refused(BadCid, "digest has", decode_multihash, bytes.fromhex(multihash))


@pytest.mark.parametrize("code", [pytest.param(c, id=h.name) for c, h in HASHES.items()])
def test_every_hash_function_gives_digests_of_its_size(code: int) -> None:
    function = HASHES[code]
    digest = function.digest(b"abc")
    multihash = encode_multihash(code, digest)
    assert len(digest) == function.size
    assert decode_multihash(multihash) == (code, digest, len(multihash))
    assert matches(code, digest, memoryview(b"abc"))


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(c, id=h.name)
        for c, h in HASHES.items()
        if h.name not in {"blake3", "dbl-sha2-256"}  # multiformats cannot compute the first here
    ],
)
def test_hash_functions_agree_with_multiformats(code: int) -> None:
    function = HASHES[code]
    theirs = oracle.get(code=code).digest(b"abc", size=function.size)
    assert encode_multihash(code, function.digest(b"abc")) == theirs


def test_double_sha256_hashes_twice() -> None:
    once = hashlib.sha256(b"abc").digest()
    assert HASHES[0x56].digest(b"abc") == hashlib.sha256(once).digest()


def test_blake3_of_nothing_is_the_published_digest() -> None:
    published = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    assert HASHES[0x1E].digest(b"").hex() == published


def test_sha2_256_prefix_is_its_code_and_length() -> None:
    assert bytes((SHA2_256, HASHES[SHA2_256].size)) == SHA2_256_PREFIX


@pytest.mark.parametrize("size", [0, 1, MAX_IDENTITY_BYTES])
def test_identity_holds_its_content(size: int) -> None:
    code, digest, _ = decode_multihash(encode_multihash(IDENTITY, b"a" * size))
    assert (code, digest) == (IDENTITY, b"a" * size)
    assert matches(code, digest, b"a" * size)
    assert not matches(code, digest, b"a" * size + b"a")


def test_identity_over_the_limit_is_refused() -> None:
    with pytest.raises(BadCid, match="holds 129 bytes, more than 128"):
        decode_multihash(encode_multihash(IDENTITY, bytes(129)))


@pytest.mark.parametrize("size", [0, 4, 19, 20, 31, 33])
def test_sha2_256_of_any_other_size_is_refused(size: int) -> None:
    check_refused(
        BadCid,
        f"a sha2-256 digest has 32 bytes, not {size}",
        decode_multihash,
        encode_multihash(SHA2_256, bytes(size)),
    )


@pytest.mark.parametrize(
    ("code", "name"),
    [
        *(pytest.param(code, name, id=name) for code, name in REFUSED_NAMES.items()),
        pytest.param(0x9999, "unknown", id="unknown"),
    ],
)
def test_functions_that_cannot_be_verified_are_refused_by_name(code: int, name: str) -> None:
    check_refused(
        BadCid,
        f"hash function {name} ",
        decode_multihash,
        encode_varint(code) + b"\x20" + bytes(32),
    )


@pytest.mark.property
@given(st.sampled_from(sorted(HASHES)), st.binary(max_size=64), st.integers(min_value=1))
def test_a_cut_multihash_is_refused(code: int, content: bytes, cut: int) -> None:
    multihash = encode_multihash(code, HASHES[code].digest(content))
    with pytest.raises(BadCid, match="does not end"):
        decode_multihash(multihash[: -1 - cut % len(multihash)])


@pytest.mark.property
@given(st.sampled_from(sorted(HASHES)), st.binary(max_size=64), st.binary(max_size=8))
def test_decode_multihash_stops_at_its_end(code: int, content: bytes, after: bytes) -> None:
    digest = HASHES[code].digest(content)
    multihash = encode_multihash(code, digest)
    assert decode_multihash(b"xy" + multihash + after, 2) == (code, digest, 2 + len(multihash))
