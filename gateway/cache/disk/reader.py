"""One read of a block from the disk: found, verified, and what has to be done if it was wrong."""

import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from gateway.cache.disk.commands import Forget, IndexLost, Tag
from gateway.cache.disk.files import BlockFiles, FileDamaged
from gateway.cache.disk.index import IndexDamaged, IndexUnavailable
from gateway.cache.disk.index_handle import IndexHandle
from gateway.cache.disk.quarantine import Quarantine
from gateway.content.block import Block, make_tag, verify, verify_tag
from gateway.content.cid import Cid
from gateway.errors import BadBlock
from gateway.ports import MissReason

READ_BUSY_TIMEOUT_S: Final = 0.25
"""Writers hold the lock of the index that keeps readers out for about a millisecond."""
MAX_KNOWN_TAGS: Final = 16_384
"""Of 4 GB in leaves of 256 KiB; 250 bytes each. The index takes as long as the tag itself."""


class ReadResult(NamedTuple):
    """What one read came to."""

    block: Block | None
    is_damaged: bool = False
    """Whether bytes were there, but wrong; they are out of the way now."""
    order: Forget | Tag | IndexLost | None = None
    """What the writer has to do about it."""
    reason: MissReason = MissReason.ABSENT
    """Why there is no block."""


_MISS: Final = ReadResult(None)
UNAVAILABLE: Final = ReadResult(None, reason=MissReason.UNAVAILABLE)


def _damaged(key: bytes) -> ReadResult:
    return ReadResult(None, is_damaged=True, order=Forget(key), reason=MissReason.DAMAGED)


class BlockReader:
    """Reads and verifies blocks; belongs to one thread."""

    def __init__(
        self,
        files: BlockFiles,
        handle: IndexHandle,
        quarantine: Quarantine,
        tag_key: bytes | None = None,
        known_tags: dict[bytes, bytes] | None = None,
    ) -> None:
        """Remember where to look; nothing is opened before the first read.

        Args:
            files: large blocks.
            handle: this thread's way to the index.
            quarantine: where damaged files go.
            tag_key: check blocks against their tags first; None to check the CID at once.
            known_tags: of files, by multihash; shared by the readers of a tier.
        """
        self._files = files
        self._handle = handle
        self._quarantine = quarantine
        self._tag_key = tag_key
        self._known_tags = {} if known_tags is None else known_tags

    def read(self, cid: Cid) -> ReadResult:
        """Read one block and hash it. Never raises for what is on the disk."""
        key = cid.multihash
        try:
            data = self._files.read(key)
            if data is None:
                return self.read_row(cid)
            return self._check(cid, data, self._find_tag(key))
        except (FileDamaged, BadBlock):
            self._quarantine.take(Path(self._files.path(key)))
            return _damaged(key)
        except OSError:  # no descriptors, memory or permission: nothing is wrong with the file
            return UNAVAILABLE

    def read_file_now(self, cid: Cid) -> ReadResult:
        """Read one block if it is a file that is in memory; a miss otherwise."""
        key = cid.multihash
        data = self._files.peek_disk(key)
        if data is None:
            return _MISS
        try:
            return self._check(cid, data, self._find_tag(key))
        except BadBlock:  # whoever may take its time moves it away
            return _MISS

    def close(self) -> None:
        """Close the index."""
        self._handle.close()

    def read_row(self, cid: Cid) -> ReadResult:
        """Read one block if it is a small one. Never raises for what is on the disk."""
        key = cid.multihash
        try:
            data, tag = self._find_row(key)
        except IndexDamaged:
            self._handle.close()
            lost = self._handle.path
            return UNAVAILABLE._replace(order=IndexLost(lost) if lost else None)
        except IndexUnavailable:
            return UNAVAILABLE
        if data is None:
            return _MISS
        try:
            return self._check(cid, data, tag)
        except BadBlock:
            return _damaged(key)

    def _find_row(self, key: bytes) -> tuple[bytes | None, bytes | None]:
        index = self._handle.get()
        return (
            (index.blob(key), None)
            if self._tag_key is None
            else index.blob_and_tag(key, is_file=False)
        )

    def _find_tag(self, key: bytes) -> bytes | None:
        if self._tag_key is None:
            return None
        tag = self._known_tags.get(key)
        if tag is not None:
            return tag
        try:
            tag = self._handle.get().blob_and_tag(key, is_file=True)[1]
        except (IndexDamaged, IndexUnavailable):  # whoever reads a row will say so
            return None
        if tag is not None:
            if len(self._known_tags) >= MAX_KNOWN_TAGS:
                self._known_tags.clear()
            self._known_tags[key] = tag
        return tag

    def _check(self, cid: Cid, data: bytes, tag: bytes | None) -> ReadResult:
        """Check a block by its tag; by its CID when there is none, or not the right one.

        Raises:
            BadBlock: the CID does not fit either.
        """
        tag_key = self._tag_key
        if tag_key is None:
            return ReadResult(verify(cid, data))
        if tag is not None:
            with suppress(BadBlock):
                return ReadResult(verify_tag(cid, data, tag, tag_key))
            self._known_tags.pop(cid.multihash, None)
        block = verify(cid, data)
        return ReadResult(block, order=Tag(cid.multihash, make_tag(tag_key, cid.multihash, data)))


def disk_reads() -> int:
    """Return how often this thread had something read from a disk; see getrusage(2).

    Elsewhere than on Linux nobody knows of one thread: of the process.
    """
    who = resource.RUSAGE_THREAD if sys.platform == "linux" else resource.RUSAGE_SELF
    return resource.getrusage(who).ru_inblock
