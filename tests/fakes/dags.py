"""A file of many blocks, for tests of whole DAGs."""

from typing import NamedTuple

from gateway.content.block import Block
from gateway.content.build import Profile, build_file, collect
from gateway.content.cid import Cid

CHUNK = 1000
PROFILE = Profile(chunk_bytes=CHUNK, max_links=4, raw_leaves=True, cid_version=1)


class Dag(NamedTuple):
    root: Cid
    blocks: tuple[Block, ...]
    """All of them, the root among them."""


def dag_of(count: int, seed: int = 0) -> Dag:
    """Return a file of `count` leaves of `CHUNK` bytes, no two alike, in a tree of two levels."""
    pieces = [(seed * 1_000_000 + n).to_bytes(8, "big") * (CHUNK // 8) for n in range(count)]
    built, blocks = collect(build_file(pieces, PROFILE))
    unique = {block.cid.multihash: block for block in blocks}
    return Dag(built.cid, tuple(unique.values()))
