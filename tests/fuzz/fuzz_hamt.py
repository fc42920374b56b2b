"""Any shards are listed or a BadBlock, and a lookup finds what is listed or nothing."""

import hashlib

from gateway.content.block import verify
from gateway.content.cid import DAG_PB, sha256_cid
from gateway.content.hamt import hash_name, slot_of
from gateway.content.listing import DirectoryEntry, list_directory
from gateway.content.resolve import find_entry
from gateway.content.unixfs import ShardEntity, open_entity
from gateway.content.walk import run, run_stream
from gateway.errors import BadBlock

SEPARATOR = b"\n--\n"
"""Between the blocks of one input; the last one is the root."""


def check(data: bytes) -> None:
    """Read `data` as dag-pb blocks; list the last one and look up every name in it."""
    made = [
        verify(sha256_cid(DAG_PB, hashlib.sha256(part).digest()), part)
        for part in data.split(SEPARATOR)
    ]
    blocks = {block.cid.multihash: block for block in made}
    try:
        root = open_entity(made[-1])
        if not isinstance(root, ShardEntity):
            return
        entries: list[DirectoryEntry] = list(run_stream(list_directory(root), blocks))
        found = [run(find_entry(root, entry.name), blocks) for entry in entries]
    except (BadBlock, KeyError):  # KeyError: a shard that the input does not have
        return
    for entry, cid in zip(entries, found, strict=True):
        slot = slot_of(hash_name(entry.name), 0, root.fanout)
        assert cid is None or root.bits >> slot & 1
        assert cid is None or cid in [other.cid for other in entries if other.name == entry.name]


if __name__ == "__main__":
    from harness import fuzz  # type: ignore[import-not-found]

    fuzz(check)
