"""Blocks that are documents: one value of the IPLD data model, in a codec that we read."""

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
"""By codec. Plain CBOR and JSON have no links: no path goes into them."""


MAX_MEMO_BYTES: Final = MAX_BLOCK_BYTES + ENTRY_BYTES
"""Of the blocks whose values are kept, be it one of the largest: 20 MB of objects at the most."""

_memo: Memo[CidKey, Value] = Memo(MAX_MEMO_BYTES, 1)


def open_document(block: Block) -> Value:
    """Decode a block whose codec is one of `DECODERS`, or remember what it was.

    The value must not be changed.

    Raises:
        BadBlock: naming the block.
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
    """Tell whether `open_document` has to decode nothing."""
    return cid.key in _memo


def follow_path(block: Block, segments: tuple[str, ...]) -> Followed:
    """Follow a path through a document, as far as to the first link; see `ipld.follow`.

    Raises:
        NoSuchLink: the document has nothing of that name.
        BadBlock: naming the block.
    """
    return follow(open_document(block), segments, block.cid)
