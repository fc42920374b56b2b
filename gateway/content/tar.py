"""Writes files and directories as a TAR while it walks them.

https://specs.ipfs.tech/ipips/ipip-0288/: one entry named by the CID, or a directory of that name
with all entries below it. The format is pax (POSIX.1-2001): names and sizes of any length, readable
by every tar of the last twenty years. The walk is depth first in the order of the links, so that
one CAR with `dag-scope=all` delivers the blocks in the order of the walk.
"""

from collections.abc import Callable
from dataclasses import dataclass
from tarfile import BLOCKSIZE, DIRTYPE, PAX_FORMAT, REGTYPE, SYMTYPE, TarInfo
from typing import Final

from gateway.content.cid import Cid, CidKey
from gateway.content.entry_name import UNREACHABLE, encode_name
from gateway.content.listing import DirectoryEntry, list_directory
from gateway.content.memo import Memo
from gateway.content.read import read_file
from gateway.content.unixfs import (
    DirectoryEntity,
    Entity,
    FileEntity,
    Piece,
    ShardEntity,
    SymlinkEntity,
    open_entity,
)
from gateway.content.unixfs_message import Mtime
from gateway.content.walk import Scope, Stream, Walk, Want, ask
from gateway.errors import NotArchivable

MAX_LEVELS: Final = 1024  # of directories; the limit of blocks in `car_walk`
MAX_PENDING: Final = 1 << 17  # entries known but not yet written, on all levels; as in `read`
MAX_PATH_BYTES: Final = 16 * 1024  # four times the limit of Linux; each header repeats the path
MAX_SYMLINKS: Final = 1 << 16
"""Limit of the symlinks in an archive, whose paths are remembered (4 MB of hashes), so that no
entry is written through one."""
MAX_MEMO_DIRECTORIES: Final = 2
"""Size of all directories over `MANY_LINKS` whose entries are kept: at most 16 MB of objects."""
MANY_LINKS: Final = 1024
"""Directories with fewer links are decoded again instead."""
GATHERED_BYTES: Final = 16 * 1024  # least size of a piece: headers are joined with content

_PERMISSIONS: Final = 0o777  # without setuid and setgid, which a publisher must not set
_FILE_MODE: Final = 0o644  # https://specs.ipfs.tech/unixfs/: the default mode
_DIRECTORY_MODE: Final = 0o755
_EPOCH: Final = 0  # time of entries without one, so that the bytes are always the same
_END: Final = bytes(2 * BLOCKSIZE)

_memo: Memo[CidKey, tuple[Cid, ...]] = Memo(MAX_MEMO_DIRECTORIES, 1)

Path = tuple[str, ...]
Check = Callable[[Path], None]
"""Called with each path below the root, before its block is wanted; raises to end the walk."""


def walk_tar(root: Entity, name: str, check: Check | None = None) -> Stream[Piece]:
    """Yield a TAR in pieces.

    The names in the first directory, if it is one block, are checked before anything is yielded.

    Args:
        root: the file, directory or symlink to archive.
        name: name of the entry at the top: the CID.
        check: called with the path of each entry below the top; None for no check.

    Raises:
        NotArchivable: not UnixFS, or a name that leads out of the archive or that file systems do
            not allow; the TAR is then incomplete.
        BadBlock: a block is malformed.
    """
    pending: list[Piece] = []
    size = 0
    steps = _Archive(check).walk(root, name)
    step = next(steps, None)
    while step is not None:
        if pending and (isinstance(step, Want) or size >= GATHERED_BYTES):
            yield pending[0] if len(pending) == 1 else b"".join(pending)
            pending, size = [], 0
        block = None
        if isinstance(step, Want):
            block = yield step
        else:
            pending.append(step)
            size += len(step)
        try:
            step = steps.send(block)
        except StopIteration:
            step = None
    yield b"".join(pending)


@dataclass(slots=True)
class _Level:
    """A directory that is being written."""

    path: Path
    entries: Stream[DirectoryEntry]
    siblings: tuple[Cid, ...]
    """The entries in order; empty for a HAMT, whose shards lie between them."""
    count: int
    """Number of links in the block of the directory."""
    index: int = 0

    def next_want(self, cid: Cid) -> Want:
        """Return the want for the next entry, `cid`."""
        want = Want(cid, (), Scope.ALL, siblings=self.siblings, index=self.index)
        self.index += 1
        return want


class _Archive:
    """The state of one archive that is being written."""

    def __init__(self, check: Check | None) -> None:
        self._check = check
        self._levels: list[_Level] = []
        self._symlinks: set[int] = set()

    def walk(self, root: Entity, name: str) -> Stream[Piece]:
        """Yield the pieces of the archive, headers apart from content."""
        if isinstance(root, DirectoryEntity):
            for link in root.links:
                if not is_no_name(link.name or ""):
                    join_path((name,), link.name or "")
        yield from self._write(root, (name,))
        while self._levels:
            level = self._levels[-1]
            entry = yield from _next_entry(level.entries)
            if entry is None:
                self._levels.pop()
                continue
            if is_no_name(entry.name):
                level.index += 1
                continue
            path = join_path(level.path, entry.name)
            if self._check is not None:
                self._check(path[1:])
            entity = open_entity((yield from ask(level.next_want(entry.cid))))
            self._keep_inside(entity, path, is_winding="/" in entry.name)
            yield from self._write(entity, path)
        yield _END

    def _write(self, entity: Entity, path: Path) -> Stream[Piece]:
        """Yield one entry; for a directory only its header, since its entries follow."""
        match entity:
            case FileEntity():
                mode = _FILE_MODE if entity.mode is None else entity.mode
                yield _header(path, REGTYPE, mode, entity.mtime, size=entity.size)
                yield from read_file(entity)
                if padding := -entity.size % BLOCKSIZE:
                    yield bytes(padding)
            case DirectoryEntity() | ShardEntity():
                mode = _DIRECTORY_MODE if entity.mode is None else entity.mode
                yield _header(path, DIRTYPE, mode, entity.mtime)
                self._enter(entity, path)
            case SymlinkEntity():
                yield _header(path, SYMTYPE, _PERMISSIONS, entity.mtime, target=entity.target)
            case _:
                raise NotArchivable("/".join(path), "it is not UnixFS", entity.cid)

    def _keep_inside(self, entity: Entity, path: Path, *, is_winding: bool) -> None:
        """Check that no entry is written through a symlink of the archive.

        A path leads through one only if two entries have the same path, or if a name contains
        slashes and skips levels.
        """
        is_symlink = isinstance(entity, SymlinkEntity)
        is_known = hash(path) in self._symlinks
        if is_known or (is_winding and (is_symlink or self._symlinks)):
            raise NotArchivable("/".join(path), "a symlink may lead out of the archive")
        if is_symlink:
            self._symlinks.add(hash(path))
            if len(self._symlinks) > MAX_SYMLINKS:
                raise NotArchivable("/".join(path), f"more than {MAX_SYMLINKS} symlinks")

    def _enter(self, directory: DirectoryEntity | ShardEntity, path: Path) -> None:
        count = len(directory.links)
        waiting = sum(level.count for level in self._levels) + count
        if len(self._levels) >= MAX_LEVELS or waiting > MAX_PENDING:
            raise NotArchivable("/".join(path), "too much is below it", directory.cid)
        siblings = _first_links(directory) if isinstance(directory, DirectoryEntity) else ()
        self._levels.append(_Level(path, list_directory(directory), siblings, count))


def _first_links(directory: DirectoryEntity) -> tuple[Cid, ...]:
    """Return the entries as `list_directory` yields them: the first link of each name.

    Those of a large directory are memoized, so that clients that read the same TAR share them.
    """
    links = _memo.find(directory.cid.key)
    if links is None:
        links = _find_first_links(directory)
        if len(links) > MANY_LINKS:
            _memo.keep(directory.cid.key, links, 1)
    return links


def _find_first_links(directory: DirectoryEntity) -> tuple[Cid, ...]:
    first: dict[str, Cid] = {}
    for link in directory.links:
        first.setdefault(link.name or "", link.cid)
    return tuple(first.values())


def _next_entry(entries: Stream[DirectoryEntry]) -> Walk[DirectoryEntry | None]:
    """Return the next entry, None at the end; wants the shards of a HAMT on the way."""
    item = next(entries, None)
    while isinstance(item, Want):  # a shard below another one is not empty: an entry follows it
        item = entries.send((yield item._replace(scope=Scope.ALL, root=None)))
    return item


def is_no_name(name: str) -> bool:
    """Return whether neither a path nor a file system allows a name; archives omit such entries."""
    return name in UNREACHABLE or "\0" in name


def join_path(above: Path, name: str) -> Path:
    """Return the path of an entry in a directory.

    A name may go up and down again while it stays below the top, as in Kubo.

    Raises:
        NotArchivable: the path leaves the archive, is too long, or ends in an invalid name.
    """
    path = list(above)
    *ways, last = name.split("/")
    for way in ways:
        if way == ".." and len(path) > 1:
            path.pop()
        elif way in ("", ".", ".."):
            raise NotArchivable(f"{'/'.join(above)}/{name}", "it leads out of the archive")
        else:
            path.append(way)
    if last in ("", ".", "..") or "\0" in name:
        raise NotArchivable(f"{'/'.join(above)}/{name}", "it is not a valid file name")
    path.append(last)
    if sum(len(encode_name(part)) + 1 for part in path) > MAX_PATH_BYTES:
        raise NotArchivable(f"{last[:40]}...", f"its path is over {MAX_PATH_BYTES} bytes")
    return tuple(path)


def _header(
    path: Path, kind: bytes, mode: int, mtime: Mtime | None, *, size: int = 0, target: bytes = b""
) -> bytes:
    if len(target) > MAX_PATH_BYTES or b"\0" in target:
        raise NotArchivable("/".join(path), "its target is not a path")
    info = TarInfo("/".join(path))
    info.type, info.size, info.mode = kind, size, mode & _PERMISSIONS
    info.linkname = target.decode("utf-8", "surrogateescape")
    info.mtime = _EPOCH if mtime is None else mtime.seconds
    return info.tobuf(PAX_FORMAT, "utf-8", "surrogateescape")
