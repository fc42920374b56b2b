"""How much work a block is, told before its nodes and values are made.

Python makes some 1,000 links of a node in a millisecond, and a block may have 50,000: whoever
answers others at the same time has that done elsewhere.
"""

from typing import Final

from gateway.content.block import Block
from gateway.content.cid import DAG_PB, Cid
from gateway.content.document import DECODERS, is_document_at_hand
from gateway.content.unixfs import is_entity_at_hand
from gateway.content.varint import MAX_BYTES as MAX_VARINT_BYTES

LONG_BYTES: Final = 16 * 1024
"""Of what has to be looked at link by link: 5 to 40 ms when every byte is used against us. Nodes of
a file in the usual layout, 174 links, have 9 KiB."""

_LEAF_HEADS: Final = (b"\x08\x02\x12", b"\x08\x00\x12")
"""How the UnixFS message of a leaf starts: its type, file or raw, and then its bytes."""
_HEAD_BYTES: Final = 2 * MAX_VARINT_BYTES + 8


def is_long(cid: Cid, data: bytes) -> bool:
    """Tell whether it takes long to see what a block links to, or what is in it.

    Args:
        cid: says how the block is read.
        data: the block.
    """
    if len(data) <= LONG_BYTES:
        return False
    if cid.codec == DAG_PB:
        return len(data) - _content_bytes(data) > LONG_BYTES
    return cid.codec in DECODERS


def is_at_hand(block: Block) -> bool:
    """Tell whether a block was looked at lately, and what was found is remembered."""
    return is_entity_at_hand(block.cid) or is_document_at_hand(block.cid)


def _content_bytes(data: bytes) -> int:
    """Return how many bytes of a dag-pb block are content of a file, which nobody looks at."""
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
