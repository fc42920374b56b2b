"""The links of a block with the path segments that lead to them."""

from collections.abc import Iterator
from typing import NamedTuple

from gateway.content.block import Block
from gateway.content.cid import DAG_PB, Cid
from gateway.content.dag_pb import PBLink, decode_node
from gateway.content.document import DECODERS, open_document
from gateway.content.hamt import prefix_digits
from gateway.content.ipld import Value
from gateway.content.unixfs import FileEntity, ShardEntity, SymlinkEntity, open_entity
from gateway.errors import BadBlock


class NamedLink(NamedTuple):
    """One link of a block."""

    path: tuple[str, ...]
    """Segments from the block to the link; empty for a part of a file or of a HAMT directory, which
    has the path of the whole."""
    cid: Cid


def named_links(block: Block) -> Iterator[NamedLink]:
    """Yield the links of a block, in the order of `car_walk.find_links`.

    Raises:
        BadBlock: the block is malformed; the error names it.
    """
    if block.cid.codec in DECODERS:
        return _links_of_document(open_document(block))
    return _links_of_node(block) if block.cid.codec == DAG_PB else iter(())


def _links_of_node(block: Block) -> Iterator[NamedLink]:
    try:
        entity = open_entity(block)
    except BadBlock:  # UnixFS that contradicts itself still has links that can be followed
        return (_named(link, 0) for link in _decode(block))
    match entity:
        case FileEntity():
            return (NamedLink((), child) for child in entity.children)
        case SymlinkEntity():
            return iter(())
        case ShardEntity():
            digits = prefix_digits(entity.fanout)
            return (_named(link, digits) for link in entity.links)
        case _:
            return (_named(link, 0) for link in entity.links)


def _decode(block: Block) -> tuple[PBLink, ...]:
    try:
        return decode_node(block.data).links
    except BadBlock as exc:
        raise BadBlock(exc.codec, exc.reason, block.cid) from exc


def _named(link: PBLink, digits: int) -> NamedLink:
    name = (link.name or "")[digits:]
    return NamedLink((name,) if name else (), link.cid)


def _links_of_document(value: Value) -> Iterator[NamedLink]:
    """Yield the links of a document; not recursive."""
    levels: list[Iterator[tuple[str, Value]]] = [iter((("", value),))]
    path: list[str] = []
    while levels:
        for key, held in levels[-1]:
            if isinstance(held, Cid):
                yield NamedLink((*path, key)[1:], held)
            elif isinstance(held, list | dict):
                path.append(key)
                levels.append(_items(held))
                break
        else:
            levels.pop()
            if path:
                path.pop()


def _items(value: list[Value] | dict[str, Value]) -> Iterator[tuple[str, Value]]:
    if isinstance(value, dict):
        return iter(value.items())
    return ((str(index), held) for index, held in enumerate(value))
