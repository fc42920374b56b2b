"""The short way to small blocks: a row of the index is read in the event loop itself.

A read by a thread costs two wake-ups, each more than the read (measured:
benchmarks/micro/bench_cache.py, 1 KiB: 110-180 us against 30). The price is that the loop waits for
the disk when the row is not in the file system's cache. So the short way is open only while the
disk is known to answer at once: after `TRUST_READS` reads by threads without a slow one. One slow
read, here or there, closes it.
"""

from typing import Final

from gateway.cache.readers import BlockReader, ReadResult
from gateway.content.cid import Cid
from gateway.ports import Clock

SLOW_S: Final = 0.005
"""What a loop may stall now and then: a slice of the scheduler takes as long on a busy machine."""
TRUST_READS: Final = 64
VAIN_READS: Final = 32
VAIN_SHARE: Final = 16
"""After so many reads in a row that found no row (files are being asked for) only one find in 16
takes the short way first."""


class InlineReader:
    """Reads rows in the event loop, as long as the disk answers at once."""

    def __init__(self, reader: BlockReader, clock: Clock) -> None:
        """Remember the reader, which must not wait for locks; nothing is opened yet."""
        self._reader = reader
        self._clock = clock
        self._trust = 0
        self._vain = 0

    def is_open(self) -> bool:
        """Whether the short way may be tried; asked once for each find."""
        if self._trust < TRUST_READS:
            return False
        if self._vain < VAIN_READS:
            return True
        self._vain += 1
        return self._vain % VAIN_SHARE == 0

    def read(self, cid: Cid) -> ReadResult | None:
        """Read a small block; None when there is no right row: the long way knows more."""
        started_s = self._clock.monotonic()
        result = self._reader.read_row(cid)
        if self._clock.monotonic() - started_s > SLOW_S:
            self._trust = 0
        if result.block is None:
            self._vain += 1
            return None
        self._vain = 0
        return result

    def note(self, took_s: float) -> None:
        """Take in how long a thread took to read a block from the disk."""
        self._trust = 0 if took_s > SLOW_S else min(self._trust + 1, TRUST_READS)

    def close(self) -> None:
        """Close the index."""
        self._trust = 0
        self._reader.close()
