"""The short way to blocks in the system's memory: read and hashed in the event loop itself.

A read by a thread costs two wake-ups, and each time that the thread gives up the interpreter and
wants it back some more (measured: benchmarks/micro/bench_cache.py, 1 KiB: 110-180 us against 30;
benchmarks/hits.py, files of 64 MiB in 256 KiB: 100 ms against 69). The price is that the loop waits
for the disk when the index or a folder is not in memory. So the short way is open only while the
disk is known to answer at once: after `TRUST_READS` reads by threads without a slow one. One slow
read, here or there, closes it, if it was the disk: a processor that others use is as slow either
way.
"""

from collections.abc import Callable
from typing import Final

from gateway.cache.disk.reader import BlockReader, ReadResult, disk_reads
from gateway.content.cid import Cid
from gateway.ports import Clock

SLOW_S: Final = 0.005
"""What a loop may stall now and then: a slice of the scheduler takes as long on a busy machine."""
TRUST_READS: Final = 64


class InlineReader:
    """Reads blocks in the event loop, as long as the disk answers at once."""

    def __init__(self, reader: BlockReader, clock: Clock) -> None:
        """Remember the reader, which must not wait for locks; nothing is opened yet."""
        self._reader = reader
        self._clock = clock
        self._trust = 0
        self._disk_reads = 0
        # Rows or files: what the last block was is tried first.
        self._ways: list[Callable[[Cid], ReadResult]] = [reader.read_row, reader.read_file_now]

    def is_open(self) -> bool:
        """Whether the short way may be tried."""
        return self._trust >= TRUST_READS

    def read(self, cid: Cid) -> ReadResult | None:
        """Read a block; None when there is no right one in memory: the long way knows more."""
        started_s = self._clock.monotonic()
        first, second = self._ways
        result = first(cid)
        if result.block is None:
            result = second(cid)
            if result.block is not None:
                self._ways.reverse()
        if self._clock.monotonic() - started_s > SLOW_S and self._has_read_disk():
            self._trust = 0
        return None if result.block is None else result

    def _has_read_disk(self) -> bool:
        """Tell whether this thread had something read from the disk since the last question."""
        before, self._disk_reads = self._disk_reads, disk_reads()
        return self._disk_reads != before

    def note(self, took_s: float) -> None:
        """Take in how long a thread took to read a block from the disk."""
        self._trust = 0 if took_s > SLOW_S else min(self._trust + 1, TRUST_READS)

    def close(self) -> None:
        """Close the index."""
        self._trust = 0
        self._reader.close()
