"""Verified blocks. `verify` is the door: no other code makes a `Block` of bytes from elsewhere.

`verify_tag` is a second door, for bytes that came in by the first one and were kept on a disk.
"""

import hashlib
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final

from blake3 import blake3
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.content.cid import Cid
from gateway.content.multihash import IDENTITY, SHA2_256_PREFIX, decode_multihash, matches
from gateway.errors import BadBlock

MAX_BLOCK_BYTES: Final = 2 * 1024 * 1024  # trustless-gateway.md: clients refuse larger blocks

TAG_BYTES: Final = 16
"""Those of GMAC."""
_NONCE: Final = bytes(12)
"""The same for all: each key is used for one message."""

_DOOR = object()


@dataclass(frozen=True, slots=True, init=False)
class Block:
    """Bytes that are what their CID says."""

    cid: Cid
    data: bytes

    def __init__(self, cid: Cid, data: bytes, door: object = None) -> None:
        if door is not _DOOR:
            raise TypeError("only gateway.content.block.verify makes a Block")
        object.__setattr__(self, "cid", cid)
        object.__setattr__(self, "data", data)


def verify(cid: Cid, data: bytes) -> Block:
    """Check `data` against `cid`.

    Raises:
        BadBlock: the hash differs, or the block is larger than `MAX_BLOCK_BYTES`.
    """
    if len(data) > MAX_BLOCK_BYTES:
        raise BadBlock("block", f"{len(data)} bytes are more than {MAX_BLOCK_BYTES}", cid)
    multihash = cid.multihash
    if multihash.startswith(SHA2_256_PREFIX):  # all but a handful of CIDs
        is_right = multihash[2:] == hashlib.sha256(data).digest()
    else:
        code, digest, _ = decode_multihash(multihash)
        is_right = matches(code, digest, data)
    if not is_right:
        raise BadBlock("block", "the bytes do not match the CID", cid)
    return Block(cid, data, _DOOR)


def make_tag(key: bytes, multihash: bytes, data: bytes) -> bytes:
    """Return the tag that says, to who holds the key, that `data` was checked against `multihash`.

    GMAC (NIST SP 800-38D) of the bytes, under a key of their own that keyed BLAKE3 makes of the
    multihash: bytes and tag of one block are no good under another name. A key makes one tag only,
    since only one message has the multihash, so that the nonce need not differ. Ten times as fast
    as SHA-256 and three as BLAKE3, where the processor multiplies without carry.

    Args:
        key: 32 bytes that nobody knows who can change what is tagged.
        multihash: of the block.
        data: checked against it by `verify`.
    """
    own = blake3(multihash, key=key).digest()
    return AESGCM(own).encrypt(_NONCE, b"", data)


def verify_tag(cid: Cid, data: bytes, tag: bytes, key: bytes) -> Block:
    """Check `data` against the tag that was made when it was checked against `cid`.

    Raises:
        BadBlock: the tag is of other bytes, another CID or another key.
    """
    if not compare_digest(make_tag(key, cid.multihash, data), tag):
        raise BadBlock("block", "the bytes do not match their tag", cid)
    return Block(cid, data, _DOOR)


def identity_block(cid: Cid) -> Block:
    """Return the block that an identity CID carries in itself.

    Raises:
        ValueError: the CID is of another hash function.
        BadCid: it carries more than `MAX_IDENTITY_BYTES`.
    """
    code, digest, _ = decode_multihash(cid.multihash)
    if code != IDENTITY:
        raise ValueError(f"{cid} does not carry its content")
    return Block(cid, digest, _DOOR)


def rename(block: Block, cid: Cid) -> Block:
    """Return the same verified bytes under another CID of the same multihash.

    Raises:
        ValueError: if the multihashes differ.
    """
    if cid.multihash != block.cid.multihash:
        raise ValueError(f"{cid} does not name the bytes of {block.cid}")
    return block if cid == block.cid else Block(cid, block.data, _DOOR)
