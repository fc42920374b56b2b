"""Content identifiers: https://github.com/multiformats/cid.

One value for every text form: `parse_cid` of base16, 32, 36, 58 and the rest gives equal `Cid`s.
CIDv0 and CIDv1 of the same block are different CIDs with the same `multihash`, which is the key
that blocks are stored under.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from typing_extensions import override

from gateway.content.multibase import (
    MAX_CHARACTERS,
    decode_base58,
    decode_multibase,
    encode_base32,
    encode_base36,
    encode_base58,
)
from gateway.content.multihash import (
    IDENTITY,
    SHA2_256,
    SHA2_256_PREFIX,
    decode_multihash,
    encode_multihash,
)
from gateway.content.varint import decode_varint, encode_varint
from gateway.errors import BadCid

RAW: Final = 0x55
DAG_PB: Final = 0x70
DAG_CBOR: Final = 0x71
LIBP2P_KEY: Final = 0x72
CBOR: Final = 0x51
JSON: Final = 0x0200
DAG_JSON: Final = 0x0129

CODEC_NAMES: Mapping[int, str] = {
    RAW: "raw",
    DAG_PB: "dag-pb",
    DAG_CBOR: "dag-cbor",
    LIBP2P_KEY: "libp2p-key",
    CBOR: "cbor",
    JSON: "json",
    DAG_JSON: "dag-json",
}

_V0_BYTES = 34
_V0_CHARACTERS = 46

_COMMON_PREFIXES: Mapping[bytes, int] = {
    bytes((1, codec)) + SHA2_256_PREFIX: codec for codec in (RAW, DAG_PB, DAG_CBOR, LIBP2P_KEY)
}
"""First four bytes of the common CIDv1s, all with a sha2-256 digest of 32 bytes."""
_COMMON_BYTES = 36


CidKey = tuple[int, int, bytes]
"""A CID as a key of dictionaries: compared without Python code, in a third of the time."""


@dataclass(frozen=True, slots=True)
class Cid:
    """A valid CID with a supported hash function."""

    version: int
    """0 or 1."""
    codec: int
    """Multicodec code of the block's format; `DAG_PB` for version 0."""
    multihash: bytes
    """Code, length and digest: the key of the block, which all its CIDs share."""

    @property
    def key(self) -> CidKey:
        """The CID as a key of dictionaries."""
        return self.version, self.codec, self.multihash

    @property
    def hash_code(self) -> int:
        """Multicodec code of the hash function."""
        return decode_varint(self.multihash)[0]

    @property
    def digest(self) -> bytes:
        """The digest alone; for identity CIDs the content itself."""
        return decode_multihash(self.multihash)[1]

    @property
    def is_identity(self) -> bool:
        """Whether the CID contains the content, so that no block is fetched or stored."""
        return self.multihash[0] == IDENTITY

    def encode(self) -> bytes:
        """Return the binary form."""
        if self.version == 0:
            return self.multihash
        return encode_varint(1) + encode_varint(self.codec) + self.multihash

    def as_v1(self) -> "Cid":
        """Return the same block's version 1 CID."""
        return self if self.version == 1 else Cid(1, self.codec, self.multihash)

    @override
    def __str__(self) -> str:
        """Return the canonical text: base58btc (v0), base36 (libp2p-key) or base32."""
        return _format(self)


@lru_cache(maxsize=4096)
def _format(cid: Cid) -> str:
    if cid.version == 0:
        return encode_base58(cid.multihash)
    if cid.codec == LIBP2P_KEY:
        return "k" + encode_base36(cid.encode())
    return "b" + encode_base32(cid.encode())


def make_cid(codec: int, code: int, digest: bytes, version: int = 1) -> Cid:
    """Return a CID of its parts; the size of the digest is not checked."""
    return Cid(version, codec, encode_multihash(code, digest))


def decode_cid(data: bytes, start: int = 0) -> tuple[Cid, int]:
    """Decode one binary CID.

    Returns:
        `(cid, end)`, `end` the offset just past it; bytes after it are ignored.

    Raises:
        BadCid: not a CID, or one of an unsupported hash function.
    """
    codec = _COMMON_PREFIXES.get(data[start : start + 4])
    if codec is not None and (end := start + _COMMON_BYTES) <= len(data):
        return Cid(1, codec, data[start + 2 : end]), end
    if data.startswith(SHA2_256_PREFIX, start):
        end = start + _V0_BYTES
        if end > len(data):
            raise BadCid("a digest does not end")
        return Cid(0, DAG_PB, data[start:end]), end
    version, position = decode_varint(data, start)
    if version != 1:
        raise BadCid(f"version {version} does not exist")
    codec, position = decode_varint(data, position)
    _, _, end = decode_multihash(data, position)
    return Cid(1, codec, data[position:end]), end


def parse_cid(text: str) -> Cid:
    """Parse a CID in any text form.

    Raises:
        BadCid: not a CID, longer than 256 characters, or of an unsupported hash function.
    """
    if len(text) > MAX_CHARACTERS:
        raise BadCid(f"{len(text)} characters are more than {MAX_CHARACTERS}")
    return _parse(text)


@lru_cache(maxsize=4096)
def _parse(text: str) -> Cid:
    if len(text) == _V0_CHARACTERS and text.startswith("Qm"):
        data = decode_base58(text)
        if len(data) != _V0_BYTES or data[:2] != SHA2_256_PREFIX:
            raise BadCid("a CIDv0 is a sha2-256 multihash of 34 bytes")
        return Cid(0, DAG_PB, data)
    data = decode_multibase(text)
    if data.startswith(SHA2_256_PREFIX):
        raise BadCid("a CIDv0 has no multibase prefix")
    cid, end = decode_cid(data)
    if end != len(data):
        raise BadCid(f"{len(data) - end} bytes follow the digest")
    return cid


def sha256_cid(codec: int, digest: bytes, version: int = 1) -> Cid:
    """Return the CID of a sha2-256 digest."""
    return Cid(version, codec, bytes((SHA2_256, len(digest))) + digest)
