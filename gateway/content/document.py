"""Blocks that are documents: one value of the IPLD data model, in a supported codec."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from gateway.content import dag_cbor, dag_json
from gateway.content.block import MAX_BLOCK_BYTES, Block
from gateway.content.cid import DAG_CBOR, DAG_JSON, Cid, CidKey
from gateway.content.ipld import Followed, Value, follow
from gateway.content.memo import ENTRY_BYTES, Memo
from gateway.errors import BadBlock

DECODERS: Final[Mapping[int, Callable[[bytes], Value]]] = MappingProxyType(
    {DAG_CBOR: dag_cbor.decode, DAG_JSON: dag_json.decode}
)
"""Decoders by codec. Plain CBOR and JSON have no links, and no path goes into them."""


MAX_MEMO_BYTES: Final = MAX_BLOCK_BYTES + ENTRY_BYTES
"""Size of all blocks whose values are kept, possibly one large one: at most 20 MB of objects."""

_memo: Memo[CidKey, Value] = Memo(MAX_MEMO_BYTES, 1)


def open_document(block: Block) -> Value:
    """Return the value of a block whose codec is in `DECODERS`; it is memoized.

    The caller must not change the value.

    Raises:
        BadBlock: the block is malformed; the error names it.
    """
    key = block.cid.key
    found = _memo.find(key)
    if found is not None:  # a document that is null costs nothing
        return found
    try:
        value = DECODERS[block.cid.codec](block.data)
    except BadBlock as exc:
        raise BadBlock(exc.codec, exc.reason, block.cid) from exc
    _memo.keep(key, value, len(block.data) + ENTRY_BYTES)
    return value


def is_document_at_hand(cid: Cid) -> bool:
    """Return whether `open_document` remembers the value of a block."""
    return cid.key in _memo


def follow_path(block: Block, segments: tuple[str, ...]) -> Followed:
    """Follow a path through a document up to the first link; see `ipld.follow`.

    Raises:
        NoSuchLink: the document has no such key or index.
        BadBlock: the block is malformed; the error names it.
    """
    return follow(open_document(block), segments, block.cid)
