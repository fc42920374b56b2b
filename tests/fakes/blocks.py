"""Blocks for tests: small, numbered, of any size."""

import hashlib

from gateway.content.block import Block, verify
from gateway.content.cid import RAW, Cid, sha256_cid


def block_of(data: bytes, codec: int = RAW) -> Block:
    """Return the block with this content."""
    return verify(sha256_cid(codec, hashlib.sha256(data).digest()), data)


def numbered(number: int, size: int) -> Block:
    """Return a block of `size` bytes that no other number (below 2**64) has."""
    seed = number.to_bytes(8, "big")
    pattern = hashlib.sha256(seed).digest()
    return block_of((seed + pattern * (size // len(pattern) + 1))[:size])


def alias(cid: Cid, codec: int) -> Cid:
    """Return another CID of the same multihash."""
    return Cid(1, codec, cid.multihash)
