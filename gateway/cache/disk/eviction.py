"""Room on the disk: the longest unused blocks go first."""

from dataclasses import dataclass, field
from typing import Final

from gateway.cache.disk.files import BlockFiles
from gateway.cache.disk.index import Entry, Index, IndexUnavailable
from gateway.cache.disk.schema import cost_of
from gateway.cache.states import EvictionReason

BATCH_ENTRIES: Final = 128
"""Evictions in one transaction: some 3 ms, after which others have their turn."""
PLAUSIBLE_EXCESS_SHARE: Final = 8
"""Above the limit by more than this part (1/8) of it: the totals are counted anew before they are
believed, because a flipped bit in them must not empty the cache."""

NO_SPACE_SHARE: Final = 8
"""Part (1/8) of the cache that a full file system may cost at a time."""


@dataclass(slots=True)
class Eviction:
    """Keeps the blocks of a directory below `limit_bytes`. Belongs to the writer thread."""

    files: BlockFiles
    limit_bytes: int
    evicted: list[tuple[EvictionReason, int]] = field(default_factory=list)
    """Reason and bytes of every block since somebody took the list."""
    _is_counted: bool = False

    @property
    def _plausible(self) -> int:
        return self.limit_bytes // PLAUSIBLE_EXCESS_SHARE

    def make_room(self, index: Index, incoming_bytes: int) -> bool:
        """Evict until `incoming_bytes` fit; tell whether they do.

        When far more than that is too much (a limit that was lowered), twice `incoming_bytes` are
        evicted and the rest is left to the next calls, so that writes do not wait for all of it.

        Raises:
            IndexDamaged, IndexUnavailable: it cannot be done; nothing must be written then.
        """
        freed = 0
        while (excess := self._excess(index, incoming_bytes)) > 0:
            if freed and freed >= 2 * incoming_bytes:
                return False
            step = self._evict(index, excess, EvictionReason.CAPACITY)
            if not step:  # all is pinned, or nothing is there: then the totals are wrong
                if self._is_counted:
                    return False
                self._recount(index)
                return self._excess(index, incoming_bytes) <= 0
            freed += step
        return True

    def free_space(self, index: Index, wanted_bytes: int) -> None:
        """Evict up to `wanted_bytes` because the file system is full, whatever the limit says.

        Never more than a part of what is there: others may have filled the disk.

        Raises:
            IndexDamaged, IndexUnavailable: it cannot be done.
        """
        share = index.totals()[1] // NO_SPACE_SHARE
        self._evict(index, min(wanted_bytes, share), EvictionReason.NO_SPACE)

    def _excess(self, index: Index, incoming_bytes: int) -> int:
        excess = index.totals()[1] + incoming_bytes - self.limit_bytes
        if excess <= 0:
            self._is_counted = False
        elif not self._is_counted and excess > incoming_bytes + self._plausible:
            self._recount(index)
            return self._excess(index, incoming_bytes)
        return excess

    def _recount(self, index: Index) -> None:
        with index.transaction():
            index.recount()
        self._is_counted = True

    def _evict(self, index: Index, wanted_bytes: int, reason: EvictionReason) -> int:
        victims: list[Entry] = []
        freed = 0
        with index.transaction():
            for entry in index.oldest(BATCH_ENTRIES):
                if freed >= wanted_bytes:
                    break
                self._delete_file(entry)
                victims.append(entry)
                freed += cost_of(entry.size)
            index.remove(entry.id for entry in victims)
        self.evicted += [(reason, entry.size) for entry in victims]
        return freed

    def _delete_file(self, entry: Entry) -> None:
        if not entry.is_file:
            return
        try:
            self.files.remove(entry.key)
        except OSError as exc:
            raise IndexUnavailable(f"a block cannot be evicted: {exc}") from exc
