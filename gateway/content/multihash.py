"""Multihashes of the supported hash functions, with exact digest sizes.

https://github.com/multiformats/multihash; the list follows boxo's allow-list
(verifcid/allowlist.go) as far as hashlib and blake3 provide the functions. A digest of another size
than its function's is refused: a 4-byte "sha2-256" can be forged by brute force.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from blake3 import blake3

from gateway.content.varint import decode_varint, encode_varint
from gateway.errors import BadCid

IDENTITY: Final = 0x00
SHA2_256: Final = 0x12
SHA2_256_PREFIX: Final = b"\x12\x20"  # code and length: how almost every multihash starts
MAX_IDENTITY_BYTES: Final = 128  # IPIP-512


@dataclass(frozen=True, slots=True)
class HashFunction:
    """One hash function: its code in the multicodec table, its name and how to run it."""

    code: int
    name: str
    size: int
    """Bytes of its digest."""
    digest: Callable[[bytes | memoryview], bytes]


def _blake2(code: int, kind: str, size: int) -> HashFunction:
    new = hashlib.blake2b if kind == "blake2b" else hashlib.blake2s
    return HashFunction(
        code, f"{kind}-{size * 8}", size, lambda data: new(data, digest_size=size).digest()
    )


def _double_sha256(data: bytes | memoryview) -> bytes:
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


_FUNCTIONS = (
    HashFunction(0x11, "sha1", 20, lambda d: hashlib.sha1(d, usedforsecurity=False).digest()),
    HashFunction(SHA2_256, "sha2-256", 32, lambda d: hashlib.sha256(d).digest()),
    HashFunction(0x13, "sha2-512", 64, lambda d: hashlib.sha512(d).digest()),
    HashFunction(0x14, "sha3-512", 64, lambda d: hashlib.sha3_512(d).digest()),
    HashFunction(0x15, "sha3-384", 48, lambda d: hashlib.sha3_384(d).digest()),
    HashFunction(0x16, "sha3-256", 32, lambda d: hashlib.sha3_256(d).digest()),
    HashFunction(0x17, "sha3-224", 28, lambda d: hashlib.sha3_224(d).digest()),
    HashFunction(0x19, "shake-256", 64, lambda d: hashlib.shake_256(d).digest(64)),
    HashFunction(0x1E, "blake3", 32, lambda d: blake3(d).digest()),
    HashFunction(0x56, "dbl-sha2-256", 32, _double_sha256),
    *(_blake2(0xB200 + size, "blake2b", size) for size in range(20, 65)),
    *(_blake2(0xB240 + size, "blake2s", size) for size in range(20, 33)),
)

HASHES: Mapping[int, HashFunction] = {function.code: function for function in _FUNCTIONS}
"""Supported hash functions by multicodec code. Identity is not a hash function."""

REFUSED_NAMES: Mapping[int, str] = {
    0x1A: "keccak-224",
    0x1B: "keccak-256",
    0x1C: "keccak-384",
    0x1D: "keccak-512",
    0x18: "shake-128",
    0x20: "sha2-384",
    0x22: "murmur3-x64-64",
    0xD5: "md5",
    0x0132: "crc32",
}
"""Names of common functions that are not cryptographic hashes or not supported."""


def encode_multihash(code: int, digest: bytes) -> bytes:
    """Join code, length and digest; sizes are not checked."""
    return encode_varint(code) + encode_varint(len(digest)) + digest


def decode_multihash(data: bytes, start: int = 0) -> tuple[int, bytes, int]:
    """Decode one multihash of a supported function.

    Returns:
        `(code, digest, end)`.

    Raises:
        BadCid: unknown function, wrong digest size, or `data` ends early.
    """
    code, position = decode_varint(data, start)
    size, position = decode_varint(data, position)
    check_digest_size(code, size)
    end = position + size
    if end > len(data):
        raise BadCid("a digest does not end")
    return code, data[position:end], end


def check_digest_size(code: int, size: int) -> None:
    """Check that a hash function is supported and that its digest has the exact size.

    Raises:
        BadCid: either does not hold; the error names the function.
    """
    if code == IDENTITY:
        if size > MAX_IDENTITY_BYTES:
            raise BadCid(f"an identity CID holds {size} bytes, more than {MAX_IDENTITY_BYTES}")
        return
    function = HASHES.get(code)
    if function is None:
        name = REFUSED_NAMES.get(code, "unknown")
        raise BadCid(f"hash function {name} (0x{code:x}) is not supported")
    if size != function.size:
        raise BadCid(f"a {function.name} digest has {function.size} bytes, not {size}")


def matches(code: int, digest: bytes, data: bytes | memoryview) -> bool:
    """Return whether `digest` is the hash of `data`; for identity, whether the bytes are equal."""
    if code == IDENTITY:
        return data == digest
    return HASHES[code].digest(data) == digest
