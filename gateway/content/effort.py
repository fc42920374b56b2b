"""Estimates whether a block takes long to decode, so that callers can decode it in a thread.

Python decodes about 1,000 links in a millisecond, and a block may have 50,000, which would block
the event loop.
"""

from typing import Final

from gateway.content.block import Block
from gateway.content.cid import DAG_PB, Cid
from gateway.content.document import DECODERS, is_document_at_hand
from gateway.content.unixfs import is_entity_at_hand
from gateway.content.varint import MAX_BYTES as MAX_VARINT_BYTES

LONG_BYTES: Final = 16 * 1024
"""Bytes that are decoded link by link: 5 to 40 ms for the worst block. Nodes of a file in the usual
layout, with 174 links, have 9 KiB."""

_LEAF_HEADS: Final = (b"\x08\x02\x12", b"\x08\x00\x12")
"""Beginnings of the UnixFS message of a leaf: its type, file or raw, and the tag of its bytes."""
_HEAD_BYTES: Final = 2 * MAX_VARINT_BYTES + 8


def is_long(cid: Cid, data: bytes) -> bool:
    """Return whether a block takes long to decode.

    Args:
        cid: CID of the block, which has its codec.
        data: bytes of the block.
    """
    if len(data) <= LONG_BYTES:
        return False
    if cid.codec == DAG_PB:
        return len(data) - _content_bytes(data) > LONG_BYTES
    return cid.codec in DECODERS


def is_at_hand(block: Block) -> bool:
    """Return whether the decoded form of a block is memoized."""
    return is_entity_at_hand(block.cid) or is_document_at_hand(block.cid)


def _content_bytes(data: bytes) -> int:
    """Return how many bytes of a dag-pb block are file content, which needs no decoding."""
    if data[0] != 0x0A:  # links come first
        return 0
    head = data[:_HEAD_BYTES]
    start = _end_of_varint(head, 1)
    if not head.startswith(_LEAF_HEADS, start):
        return 0
    start += len(_LEAF_HEADS[0])
    size = shift = 0
    for byte in head[start:]:
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return min(size, len(data))


def _end_of_varint(data: bytes, start: int) -> int:
    while start < len(data) and data[start] >= 0x80:
        start += 1
    return start + 1
