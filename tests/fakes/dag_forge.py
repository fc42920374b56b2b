"""Forges DAGs that no honest writer makes: every block verifies, what it says is up to the test."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import NamedTuple

from gateway.content.block import Block, verify
from gateway.content.cid import DAG_PB, RAW, Cid, sha256_cid
from gateway.content.dag_pb import PBLink, PBNode, encode_node
from gateway.content.hamt import MURMUR3_X64_64, encode_bitfield, hash_name, slot_of, slot_prefix
from gateway.content.unixfs_message import UnixFs, UnixFsType, encode_unixfs


class Part(NamedTuple):
    """A child of a file and the bytes that its parent says it has."""

    cid: Cid
    size: int


class Slot(NamedTuple):
    """A link in a shard: a name makes it an entry, none makes it a shard."""

    cid: Cid
    name: str = ""


class Forge:
    """Keeps what it forges in `blocks`, by multihash."""

    def __init__(self) -> None:
        self.blocks: dict[bytes, Block] = {}

    def block(self, codec: int, data: bytes) -> Cid:
        """Forge a block of any codec and bytes."""
        cid = sha256_cid(codec, hashlib.sha256(data).digest())
        self.blocks[cid.multihash] = verify(cid, data)
        return cid

    def raw(self, data: bytes) -> Cid:
        """Forge a raw leaf."""
        return self.block(RAW, data)

    def node(self, data: bytes | None = None, links: Iterable[tuple[str | None, Cid]] = ()) -> Cid:
        """Forge a dag-pb node with any data."""
        made = tuple([PBLink(cid.encode(), name, None) for name, cid in links])
        return self.block(DAG_PB, encode_node(PBNode(made, data)))

    def unixfs(self, message: UnixFs, links: Iterable[tuple[str | None, Cid]] = ()) -> Cid:
        """Forge a UnixFS node; message and links need not agree."""
        return self.node(encode_unixfs(message), links)

    def file(self, *parts: Part, inline: bytes = b"", filesize: int | None = None) -> Cid:
        """Forge a file node; `filesize` is right when it is not given."""
        sizes = tuple([part.size for part in parts])
        size = len(inline) + sum(sizes) if filesize is None else filesize
        message = UnixFs(UnixFsType.FILE, inline or None, size, sizes)
        return self.unixfs(message, [("", part.cid) for part in parts])

    def directory(self, *entries: tuple[str | None, Cid]) -> Cid:
        """Forge a directory; names in any order, twice, or none."""
        return self.unixfs(UnixFs(UnixFsType.DIRECTORY), entries)

    def shard(self, slots: Mapping[int, Slot], fanout: int = 256) -> Cid:
        """Forge a shard with links in the slots that are given."""
        links = [
            (slot_prefix(slot, fanout) + held.name, held.cid)
            for slot, held in sorted(slots.items())
        ]
        return self.any_shard(links, sum(1 << slot for slot in slots), fanout)

    def any_shard(
        self,
        links: Sequence[tuple[str | None, Cid]],
        bits: int,
        fanout: int = 256,
        hash_type: int = MURMUR3_X64_64,
    ) -> Cid:
        """Forge a shard whose names, bits and numbers need not agree."""
        message = UnixFs(
            UnixFsType.HAMT_SHARD, encode_bitfield(bits), hash_type=hash_type, fanout=fanout
        )
        return self.unixfs(message, links)

    def deep_file(self, levels: int, leaf: bytes = b"x") -> Cid:
        """Forge a file of one leaf below so many levels of nodes with one child each."""
        cid = self.raw(leaf)
        for _ in range(levels):
            cid = self.file(Part(cid, len(leaf)))
        return cid

    def bomb(self, levels: int, width: int, leaf: bytes) -> tuple[Cid, int]:
        """Forge `levels + 1` blocks that make a file of `len(leaf) * width**levels` bytes."""
        cid, size = self.raw(leaf), len(leaf)
        for _ in range(levels):
            cid = self.file(*[Part(cid, size)] * width)
            size *= width
        return cid, size

    def deep_hamt(self, name: str, levels: int, fanout: int = 256) -> Cid:
        """Forge shards on the way to `name`, `levels` in all, the last one with another name."""
        cid, held = self.raw(b""), "another name"
        for level in reversed(range(levels)):
            slot = slot_of(hash_name(name), min(level, 63 // fanout.bit_length()), fanout)
            cid = self.shard({slot: Slot(cid, held)}, fanout)
            held = ""
        return cid


def name_in(*slots: int, fanout: int = 256) -> str:
    """Return a name that belongs in these slots, level by level."""
    names = (f"{number}" for number in count())
    return next(
        name
        for name in names
        if all(slot_of(hash_name(name), level, fanout) == slot for level, slot in enumerate(slots))
    )
