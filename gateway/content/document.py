"""Blocks that are documents: one value of the IPLD data model, in a codec that we read."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from gateway.content import dag_cbor, dag_json
from gateway.content.block import Block
from gateway.content.cid import DAG_CBOR, DAG_JSON
from gateway.content.ipld import Followed, Value, follow
from gateway.errors import BadBlock

DECODERS: Final[Mapping[int, Callable[[bytes], Value]]] = MappingProxyType(
    {DAG_CBOR: dag_cbor.decode, DAG_JSON: dag_json.decode}
)
"""By codec. Plain CBOR and JSON have no links: no path goes into them."""


def open_document(block: Block) -> Value:
    """Decode a block whose codec is one of `DECODERS`.

    Raises:
        BadBlock: naming the block.
    """
    try:
        return DECODERS[block.cid.codec](block.data)
    except BadBlock as exc:
        raise BadBlock(exc.codec, exc.reason, block.cid) from exc


def follow_path(block: Block, segments: tuple[str, ...]) -> Followed:
    """Follow a path through a document, as far as to the first link; see `ipld.follow`.

    Raises:
        NoSuchLink: the document has nothing of that name.
        BadBlock: naming the block.
    """
    return follow(open_document(block), segments, block.cid)
