"""Blocks as UnixFS files, directories, HAMT shards and symlinks: https://specs.ipfs.tech/unixfs/.

`open_entity` decodes a block and checks the rules of the specification. A block that is not UnixFS
becomes an `OpaqueEntity`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from gateway.content.block import MAX_BLOCK_BYTES, Block
from gateway.content.cid import DAG_PB, RAW, Cid, CidKey
from gateway.content.dag_pb import PBLink, PBNode, decode_node
from gateway.content.hamt import check_fanout, decode_bitfield
from gateway.content.memo import ENTRY_BYTES, Memo
from gateway.content.protobuf import encode_uint64
from gateway.content.unixfs_message import Mtime, UnixFs, UnixFsType, decode_unixfs
from gateway.errors import BadBlock

Piece = bytes | memoryview
"""Content of a block, or a part of it without a copy."""


@dataclass(frozen=True, slots=True)
class FileEntity:
    """A file, or a node below the root of one."""

    cid: Cid
    size: int
    """Size of the file below this node, as the node claims it."""
    inline: Piece
    """File bytes in this block, in front of those of the children."""
    children: tuple[Cid, ...] = ()
    blocksizes: tuple[int, ...] = ()
    """Size of the file below each child, as this node claims it: checked when the child arrives."""
    mode: int | None = None
    """Unix permissions (12 bits); None without them."""
    mtime: Mtime | None = None


@dataclass(frozen=True, slots=True)
class DirectoryEntity:
    """A directory in one block."""

    cid: Cid
    links: tuple[PBLink, ...]
    mode: int | None = None
    mtime: Mtime | None = None
    by_name: Mapping[str, PBLink] = field(init=False, repr=False, compare=False)
    """The first link of each name."""

    def __post_init__(self) -> None:
        names = {link.name: link for link in reversed(self.links) if link.name is not None}
        object.__setattr__(self, "by_name", names)


@dataclass(frozen=True, slots=True)
class ShardEntity:
    """A shard of a HAMT directory: the directory itself when it is the root of one."""

    cid: Cid
    links: tuple[PBLink, ...]
    fanout: int
    bits: int
    """The occupied slots: bit i is slot i."""
    mode: int | None = None
    mtime: Mtime | None = None


@dataclass(frozen=True, slots=True)
class SymlinkEntity:
    """A symbolic link."""

    cid: Cid
    target: bytes
    """A POSIX path, any bytes."""
    mode: int | None = None
    mtime: Mtime | None = None


@dataclass(frozen=True, slots=True)
class OpaqueEntity:
    """A block that is not UnixFS: another codec, or dag-pb with other data."""

    cid: Cid
    codec: int
    links: tuple[PBLink, ...] = ()
    """Links of a dag-pb node, which a path can follow by name."""


Entity = FileEntity | DirectoryEntity | ShardEntity | SymlinkEntity | OpaqueEntity


MAX_MEMO_BYTES: Final = 2 * (MAX_BLOCK_BYTES + ENTRY_BYTES)
"""Size of all blocks whose entities are kept, possibly one of the largest: 80,000 links, at most
30 MB of objects."""

_memo: Memo[CidKey, Entity] = Memo(MAX_MEMO_BYTES, 2)


def open_entity(block: Block) -> Entity:
    """Decode a block by the codec of its CID.

    Entities with links are memoized: every range of a video and every page of a site needs the same
    few nodes again, and the time to decode grows with their links.

    Raises:
        BadBlock: malformed dag-pb, or inconsistent UnixFS.
    """
    cid = block.cid
    if cid.codec == RAW:
        return FileEntity(cid, len(block.data), block.data)
    if cid.codec != DAG_PB:
        return OpaqueEntity(cid, cid.codec)
    entity = _memo.find(cid.key)
    if entity is not None:
        return entity
    try:
        node = decode_node(block.data)
        entity = _open_node(cid, node)
    except BadBlock as exc:
        raise BadBlock(exc.codec, exc.reason, cid) from exc
    if node.links:
        _memo.keep(cid.key, entity, len(block.data) + ENTRY_BYTES)
    return entity


def is_entity_at_hand(cid: Cid) -> bool:
    """Return whether `open_entity` remembers the entity of a block."""
    return cid.key in _memo


def _open_node(cid: Cid, node: PBNode) -> Entity:
    message = _find_message(node)
    if message is None or message.type is UnixFsType.METADATA:
        return OpaqueEntity(cid, DAG_PB, node.links)
    if message.type is UnixFsType.DIRECTORY:
        return DirectoryEntity(cid, node.links, message.mode, message.mtime)
    if message.type is UnixFsType.HAMT_SHARD:
        return _open_shard(cid, node.links, message)
    if message.type is UnixFsType.SYMLINK:
        if node.links:
            raise BadBlock("unixfs", f"a symlink has {len(node.links)} links")
        return SymlinkEntity(cid, message.data or b"", message.mode, message.mtime)
    return _open_file(cid, node.links, message)


def _find_message(node: PBNode) -> UnixFs | None:
    if node.data is None:
        return None
    try:
        return decode_unixfs(node.data)
    except BadBlock:  # dag-pb may carry any data; only data that decodes is UnixFS
        return None


def _open_file(cid: Cid, links: tuple[PBLink, ...], message: UnixFs) -> FileEntity:
    inline = message.data or b""
    size = message.filesize or 0
    if len(message.blocksizes) != len(links):
        raise BadBlock("unixfs", f"{len(message.blocksizes)} blocksizes for {len(links)} links")
    if size != len(inline) + sum(message.blocksizes):
        held = len(inline) + sum(message.blocksizes)
        raise BadBlock("unixfs", f"filesize says {size} bytes, the node holds {held}")
    for link in links:
        if link.name:
            raise BadBlock("unixfs", f"a part of a file has the name {link.name[:100]!r}")
    children = tuple([link.cid for link in links])
    return FileEntity(cid, size, inline, children, message.blocksizes, message.mode, message.mtime)


def _open_shard(cid: Cid, links: tuple[PBLink, ...], message: UnixFs) -> ShardEntity:
    fanout = check_fanout(message.fanout, message.hash_type)
    bits = decode_bitfield(message.data or b"", fanout, len(links))
    return ShardEntity(cid, links, fanout, bits, message.mode, message.mtime)


@lru_cache(maxsize=64)
def _leaf_frame(size: int) -> tuple[tuple[bytes, bytes], bytes]:
    """Return the bytes around a content of `size` in Kubo's leaves: balanced, trickle."""
    length = encode_uint64(size)
    after = b"\x18" + length  # filesize
    node = b"\x0a" + encode_uint64(3 + len(length) + size + len(after))  # PBNode.Data
    return (node + b"\x08\x02\x12" + length, node + b"\x08\x00\x12" + length), after


def find_leaf_content(data: bytes, size: int) -> memoryview | None:
    """Return the content of a dag-pb leaf of `size` bytes in its usual encoding, without a copy.

    None when the encoding is another one: the block must be decoded.
    """
    if size > len(data):
        return None
    before, after = _leaf_frame(size)
    start = len(before[0])
    if (
        len(data) != start + size + len(after)
        or not data.startswith(before)
        or not data.endswith(after)
    ):
        return None
    return memoryview(data)[start : start + size]
