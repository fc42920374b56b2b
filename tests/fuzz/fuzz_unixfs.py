"""Any bytes are an entity or a BadBlock, and a UnixFS message means the same when written again."""

import hashlib

from gateway.content.block import verify
from gateway.content.cid import DAG_PB, sha256_cid
from gateway.content.unixfs import FileEntity, open_entity
from gateway.content.unixfs_message import decode_unixfs, encode_unixfs
from gateway.errors import BadBlock


def check(data: bytes) -> None:
    """Read `data` as a dag-pb block, and as a bare UnixFS message."""
    try:
        message = decode_unixfs(data)
        assert decode_unixfs(encode_unixfs(message)) == message
    except BadBlock:
        pass
    block = verify(sha256_cid(DAG_PB, hashlib.sha256(data).digest()), data)
    try:
        entity = open_entity(block)
    except BadBlock:
        return
    if isinstance(entity, FileEntity):
        assert len(entity.children) == len(entity.blocksizes)
        assert entity.size == len(entity.inline) + sum(entity.blocksizes)


if __name__ == "__main__":
    from harness import fuzz  # type: ignore[import-not-found]

    fuzz(check)
