"""Builds UnixFS files, directories, HAMTs and symlinks, one block after the other.

The layouts are those of Kubo, so that the same bytes get the same CID
(https://specs.ipfs.tech/ipips/ipip-0499/ names the profiles). Every `build_...` is a generator that
yields blocks, children first, and returns the `Built` root.
"""

import hashlib
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import Final, NamedTuple

from gateway.content.block import Block, verify
from gateway.content.cid import DAG_PB, RAW, Cid, sha256_cid
from gateway.content.dag_pb import PBLink, PBNode, encode_node
from gateway.content.entry_name import encode_name
from gateway.content.hamt import (
    MURMUR3_X64_64,
    encode_bitfield,
    hash_name,
    slot_of,
    slot_prefix,
)
from gateway.content.unixfs_message import Mtime, UnixFs, UnixFsType, encode_unixfs

HAMT_FANOUT: Final = 256  # IPIP-499, both profiles
_TRICKLE_REPEAT = 4  # boxo: subtrees of one depth before the next deeper one begins


class Layout(StrEnum):
    """The shape of a file's DAG."""

    BALANCED = "balanced"
    """All leaves at one depth."""
    TRICKLE = "trickle"
    """First leaves near the root, for reading from the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The chunk size, fan-out and codec of the files that are built."""

    chunk_bytes: int
    """Size of each leaf but the last."""
    max_links: int
    """Most children of a node, 2 or more."""
    raw_leaves: bool
    """Whether leaves are raw blocks, not dag-pb."""
    cid_version: int
    """CID version of dag-pb nodes; raw leaves have version 1."""
    layout: Layout = Layout.BALANCED


PROFILE_V0_2015: Final = Profile(
    chunk_bytes=256 * 1024, max_links=174, raw_leaves=False, cid_version=0
)
PROFILE_V1_2025: Final = Profile(
    chunk_bytes=1024 * 1024, max_links=1024, raw_leaves=True, cid_version=1
)


class Attributes(NamedTuple):
    """The optional UnixFS 1.5 metadata of a file or directory."""

    mode: int | None = None
    mtime: Mtime | None = None


NO_ATTRIBUTES: Final = Attributes()


class Built(NamedTuple):
    """The root of a DAG that was built."""

    cid: Cid
    size: int
    """Size of the file; 0 for directories and symlinks."""
    tsize: int
    """Bytes of all its blocks, as links to it say."""


Build = Generator[Block, None, Built]


def collect(build: Build) -> tuple[Built, list[Block]]:
    """Run a build to its end; return its root and all its blocks."""
    blocks: list[Block] = []
    try:
        while True:
            blocks.append(next(build))
    except StopIteration as stop:
        built: Built = stop.value
        return built, blocks


def build_file(
    data: bytes | Iterable[bytes],
    profile: Profile = PROFILE_V1_2025,
    attributes: Attributes = NO_ATTRIBUTES,
) -> Build:
    """Build a file; of an iterable, memory holds only one leaf and the links of one branch.

    With attributes no leaf is raw, as in Kubo, since a raw block cannot hold them.
    """
    if attributes != NO_ATTRIBUTES:
        profile = replace(profile, raw_leaves=False)
    chunks = _Chunks(data, profile.chunk_bytes)
    if profile.layout is Layout.TRICKLE:
        return (yield from _build_trickle(chunks, profile, 0, attributes))
    return (yield from _build_balanced(chunks, profile, attributes))


class _Chunks:
    """Cuts bytes, or pieces of any size, into chunks of one size, with one chunk of look-ahead."""

    def __init__(self, data: bytes | Iterable[bytes], size: int) -> None:
        if isinstance(data, bytes):
            self._chunks = (data[start : start + size] for start in range(0, len(data), size))
        else:
            self._chunks = _cut(data, size)
        self._ahead = next(self._chunks, None)

    def has_more(self) -> bool:
        """Return whether there is another chunk."""
        return self._ahead is not None

    def take(self) -> bytes:
        """Return the next chunk; an empty one at the end."""
        chunk = self._ahead or b""
        self._ahead = next(self._chunks, None)
        return chunk


def _cut(pieces: Iterable[bytes], size: int) -> Generator[bytes, None, None]:
    buffer = bytearray()
    for piece in pieces:
        buffer += piece
        while len(buffer) >= size:
            yield bytes(buffer[:size])
            del buffer[:size]
    if buffer:
        yield bytes(buffer)


def _build_balanced(chunks: _Chunks, profile: Profile, attributes: Attributes) -> Build:
    first = chunks.take()
    if not chunks.has_more():
        return (yield from _build_leaf(first, profile, UnixFsType.FILE, attributes))
    levels: list[list[Built]] = [[]]
    part = yield from _build_leaf(first, profile, UnixFsType.FILE)
    yield from _add(levels, 0, part, profile)
    while chunks.has_more():
        part = yield from _build_leaf(chunks.take(), profile, UnixFsType.FILE)
        yield from _add(levels, 0, part, profile)
    index = 0
    while index < len(levels) - 1:
        node = yield from _build_node(levels[index], profile)
        index += 1
        yield from _add(levels, index, node, profile)
    return (yield from _build_node(levels[-1], profile, attributes))


def _add(
    levels: list[list[Built]], index: int, part: Built, profile: Profile
) -> Generator[Block, None, None]:
    """Add a part to a level; when that is full, close it into a part of the level above first."""
    if len(levels[index]) == profile.max_links:
        node = yield from _build_node(levels[index], profile)
        levels[index] = []
        if index + 1 == len(levels):
            levels.append([])
        yield from _add(levels, index + 1, node, profile)
    levels[index].append(part)


def _build_trickle(
    chunks: _Chunks, profile: Profile, max_depth: int, attributes: Attributes = NO_ATTRIBUTES
) -> Build:
    """Build a subtree: leaves, then subtrees of depth 1, 2, ... below `max_depth` (0: no limit)."""
    parts: list[Built] = []
    while chunks.has_more() and len(parts) < profile.max_links:
        parts.append((yield from _build_leaf(chunks.take(), profile, UnixFsType.RAW)))
    depth = 1
    repeats = 0
    while chunks.has_more() and depth != max_depth:
        parts.append((yield from _build_trickle(chunks, profile, depth)))
        repeats += 1
        depth = 1 + repeats // _TRICKLE_REPEAT
    return (yield from _build_node(parts, profile, attributes))


def _build_leaf(
    data: bytes, profile: Profile, type_: UnixFsType, attributes: Attributes = NO_ATTRIBUTES
) -> Build:
    if profile.raw_leaves:
        block = _block(RAW, data, 1)
        yield block
        return Built(block.cid, len(data), len(data))
    message = UnixFs(type_, data or None, len(data), mode=attributes.mode, mtime=attributes.mtime)
    return (yield from _build_block(message, (), profile.cid_version))


def _build_node(
    parts: Sequence[Built], profile: Profile, attributes: Attributes = NO_ATTRIBUTES
) -> Build:
    message = UnixFs(
        UnixFsType.FILE,
        filesize=sum(part.size for part in parts),
        blocksizes=tuple([part.size for part in parts]),
        mode=attributes.mode,
        mtime=attributes.mtime,
    )
    links = tuple([_link("", part) for part in parts])
    return (yield from _build_block(message, links, profile.cid_version))


def _link(name: str, target: Built) -> PBLink:
    return PBLink(target.cid.encode(), name, target.tsize)


def _build_block(message: UnixFs, links: tuple[PBLink, ...], cid_version: int) -> Build:
    data = encode_node(PBNode(links, encode_unixfs(message)))
    block = _block(DAG_PB, data, cid_version)
    yield block
    below = sum(link.size or 0 for link in links)
    return Built(block.cid, message.filesize or 0, len(data) + below)


def _block(codec: int, data: bytes, cid_version: int) -> Block:
    return verify(sha256_cid(codec, hashlib.sha256(data).digest(), cid_version), data)


Entries = Iterable[tuple[str, Built]]
"""The names of a directory in any order, each with its target."""


def build_directory(
    entries: Entries, *, cid_version: int = 1, attributes: Attributes = NO_ATTRIBUTES
) -> Build:
    """Build a directory in one block.

    Raises:
        ValueError: a name occurs twice.
        BadBlock: the entries exceed one block; `build_hamt` has no limit.
    """
    links = tuple([_link(name, target) for name, target in _sort(entries)])
    message = UnixFs(UnixFsType.DIRECTORY, mode=attributes.mode, mtime=attributes.mtime)
    return (yield from _build_block(message, links, cid_version))


def _sort(entries: Entries) -> list[tuple[str, Built]]:
    """Sort by the bytes of the name, as all writers do."""
    ordered = sorted(entries, key=lambda entry: encode_name(entry[0]))
    for (name, _), (following, _) in pairwise(ordered):
        if name == following:
            raise ValueError(f"the name {name!r} occurs twice")
    return ordered


def build_hamt(
    entries: Entries,
    *,
    fanout: int = HAMT_FANOUT,
    cid_version: int = 1,
    attributes: Attributes = NO_ATTRIBUTES,
) -> Build:
    """Build a directory as a HAMT.

    Raises:
        ValueError: a name occurs twice or is empty, which in a shard marks a shard below.
        BadBlock: the hashes of two names agree in all bits.
    """
    ordered = _sort(entries)
    if ordered and not ordered[0][0]:
        raise ValueError("a HAMT cannot hold an empty name")
    hashed = [(hash_name(name), name, target) for name, target in ordered]
    return (yield from _build_shard(hashed, 0, (fanout, cid_version), attributes))


def _build_shard(
    entries: Sequence[tuple[int, str, Built]],
    level: int,
    shape: tuple[int, int],
    attributes: Attributes = NO_ATTRIBUTES,
) -> Build:
    fanout, cid_version = shape
    slots: dict[int, list[tuple[int, str, Built]]] = {}
    for entry in entries:
        slots.setdefault(slot_of(entry[0], level, fanout), []).append(entry)
    links: list[PBLink] = []
    for slot, held in sorted(slots.items()):
        prefix = slot_prefix(slot, fanout)
        if len(held) == 1:
            links.append(_link(prefix + held[0][1], held[0][2]))
        else:
            shard = yield from _build_shard(held, level + 1, shape)
            links.append(_link(prefix, shard))
    message = UnixFs(
        UnixFsType.HAMT_SHARD,
        encode_bitfield(sum(1 << slot for slot in slots)),
        hash_type=MURMUR3_X64_64,
        fanout=fanout,
        mode=attributes.mode,
        mtime=attributes.mtime,
    )
    return (yield from _build_block(message, tuple(links), cid_version))


def build_symlink(
    target: bytes, *, cid_version: int = 1, attributes: Attributes = NO_ATTRIBUTES
) -> Build:
    """Build a symbolic link."""
    message = UnixFs(UnixFsType.SYMLINK, target, mode=attributes.mode, mtime=attributes.mtime)
    return (yield from _build_block(message, (), cid_version))
