"""Blocks for tests: small, numbered, of any size."""

from benchmarks.data.blocks import block_of, numbered
from gateway.content.cid import Cid

__all__ = ["alias", "block_of", "numbered"]


def alias(cid: Cid, codec: int) -> Cid:
    """Return another CID of the same multihash."""
    return Cid(1, codec, cid.multihash)
