"""The one thread of a process that changes the disk: it writes, evicts and scans by turns.

One thread, so that within a process nothing can race; between processes the write lock of the
index decides. Orders come through a queue and what came of them goes back as `Report`s.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Final

from gateway.cache.disk.commands import Flush, Forget, IndexLost, Job, Order, Stop, Store, Tag
from gateway.cache.disk.eviction import Eviction
from gateway.cache.disk.files import BlockFiles
from gateway.cache.disk.footprint import Footprint
from gateway.cache.disk.future_uses import bring_back
from gateway.cache.disk.index import Index, IndexDamaged, IndexUnavailable
from gateway.cache.disk.index_handle import IndexOwner
from gateway.cache.disk.midpoint import Midpoint
from gateway.cache.disk.pins import total_of
from gateway.cache.disk.purge import NO_PURGES, Purges, purges_after
from gateway.cache.disk.quarantine import Quarantine
from gateway.cache.disk.scan import Sweep
from gateway.cache.disk.schema import PAGE_BYTES
from gateway.cache.disk.write_batch import Batch
from gateway.cache.states import EvictionReason, IndexState
from gateway.ports import Clock

BATCH_DELAY_S: Final = 0.05
"""How long the first block of a batch waits for others: one transaction for all of them."""
MAX_BATCH_ORDERS: Final = 256
MAX_BATCH_BYTES: Final = 8 * 1024 * 1024
TICK_S: Final = 1.0
"""How often an idle writer looks what other processes did."""
WRITE_BUSY_TIMEOUT_S: Final = 2.0
"""How long to wait for another process's transaction; they take milliseconds."""
MAX_TOUCHES: Final = 8192
"""Uses that are remembered until they are written; the newest count."""
TOUCHES_PER_TURN: Final = 512
"""Uses written in one transaction: readers of the index wait while it is committed."""
SHRINK_PAGES: Final = 256
"""Free pages given back to the file system in one transaction: some 5 ms."""
SHRINKS: Final = 12
"""Such transactions in one turn: more than the rows of a turn's evictions leave free, or a cache of
small blocks in which files begin to be kept grows beyond its limit (benchmarks/scale.py)."""
ATTEMPTS: Final = 3
"""Indexes tried for one batch, when they are damaged or replaced under our hands."""


_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Report:
    """What a turn of the writer came to."""

    state: IndexState = IndexState.UNAVAILABLE
    done: list[bytes] = field(default_factory=list[bytes])
    """Keys of `Store` orders that were carried out, or given up."""
    known: list[bytes] = field(default_factory=list[bytes])
    """Keys of blocks that are on the disk."""
    evicted: list[tuple[EvictionReason, int]] = field(default_factory=list)
    quarantined: int = 0
    """Damaged things that were moved aside."""
    lost: int = 0
    """Blocks that could not be written."""
    error: str = ""
    """Why the last of them, or the index, could not be used."""
    purges: Purges = NO_PURGES
    """What operators took out, through any process."""
    flushed: int = 0
    """`Flush` orders that were carried out."""
    blocks: int = 0
    bytes: int = 0
    coldest_ms: int | None = None
    """When the block that is evicted next was last used; milliseconds since the epoch."""
    pins: int = 0
    pinned_bytes: int = 0


class Writer:
    """Carries out orders in its own thread."""

    def __init__(
        self,
        files: BlockFiles,
        owner: IndexOwner,
        quarantine: Quarantine,
        sweep: Sweep,
        footprint: Footprint,
        clock: Clock,
    ) -> None:
        """Make a writer; `start` starts it.

        Args:
            files: large blocks.
            owner: the index.
            quarantine: where damaged things go.
            sweep: the scans.
            footprint: what blocks may take, and the limit of everything together.
            clock: dates the use of blocks.
        """
        self._files = files
        self._owner = owner
        self._quarantine = quarantine
        self._sweep = sweep
        self._clock = clock
        self.tag_key: bytes | None = None
        """Of the tags that blocks get; None for no tags. Set before `start`."""
        self._eviction = Eviction(files, footprint.limit_bytes)
        self._max_batch_bytes = min(MAX_BATCH_BYTES, footprint.limit_bytes // 4)
        self._footprint = footprint
        self._orders: SimpleQueue[Order] = SimpleQueue()
        self._urgent = threading.Event()
        self._touched: deque[tuple[bytes, int]] = deque(maxlen=MAX_TOUCHES)
        self._midpoint = Midpoint()
        self._purges_seen = -1
        self._patience_s = 0.0
        self._turned_s = clock.monotonic()
        self._thread: threading.Thread | None = None

    @property
    def silence_s(self) -> float:
        """Seconds since the last turn ended; idle writers have a turn every `TICK_S`."""
        return self._clock.monotonic() - self._turned_s

    def start(self, report: Callable[[Report], None]) -> None:
        """Start the thread; it calls `report` after each turn, from itself."""
        self._thread = threading.Thread(
            target=self._run, args=(report,), name="cache-writer", daemon=True
        )
        self._thread.start()

    def put(self, order: Order, *, is_urgent: bool = False) -> None:
        """Order something; `is_urgent` when nothing is gained by waiting for more of it."""
        self._orders.put(order)
        if is_urgent:
            self._urgent.set()

    def touch(self, key: bytes, used_ms: int) -> None:
        """Note that a block was used; written with the next turn."""
        self._touched.append((key, used_ms))

    def join(self, timeout_s: float) -> None:
        """Wait until a `Stop` was carried out, at most `timeout_s`. Blocks."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self, report: Callable[[Report], None]) -> None:
        is_running = True
        while is_running:
            orders = self._gather()
            is_running = not any(isinstance(order, Stop) for order in orders)
            outcome = self._survive(orders)
            self._turned_s = self._clock.monotonic()
            report(outcome)
        self._sweep.stop()
        self._owner.close()
        self._files.temporary.close()

    def _survive(self, orders: list[Order]) -> Report:
        try:
            return self._turn(orders)
        except Exception as exc:  # noqa: BLE001 (without its writer the tier would only fill up)
            _log.exception("the writer of the disk cache failed")
            report = _report_on(orders)
            report.lost, report.error = len(report.done), repr(exc)
            _refuse(orders, exc)
            return report

    def _gather(self) -> list[Order]:
        try:
            orders = [self._orders.get(timeout=self._patience_s)]
        except Empty:
            return []
        self._urgent.wait(BATCH_DELAY_S)
        self._urgent.clear()
        size = _size_of(orders[0])
        with suppress(Empty):
            while len(orders) < MAX_BATCH_ORDERS and size < self._max_batch_bytes:
                orders.append(self._orders.get_nowait())
                size += _size_of(orders[-1])
        return orders

    def _turn(self, orders: list[Order]) -> Report:
        report = _report_on(orders)
        now_ms = int(self._clock.now() * 1000)
        batch = Batch(self._files, self._quarantine, now_ms, self.tag_key)
        self._patience_s = TICK_S
        try:
            self._replace_lost(orders, report)
            batch.stage([order for order in orders if isinstance(order, Store)])
            self._carry_out(batch, orders, report)
        except IndexUnavailable as exc:
            batch.give_up(exc)
            _refuse(orders, exc)
            report.error = str(exc)
            report.state = IndexState.UNAVAILABLE
        else:
            report.state = self._sweep.state
        report.lost = batch.lost
        report.quarantined += batch.quarantined
        report.error = report.error or batch.error
        report.evicted, self._eviction.evicted = self._eviction.evicted, []
        return report

    def _replace_lost(self, orders: list[Order], report: Report) -> None:
        for order in orders:
            if isinstance(order, IndexLost):
                report.quarantined += self._owner.replace(order.path)

    def _carry_out(self, batch: Batch, orders: list[Order], report: Report) -> None:
        for _ in range(ATTEMPTS):
            try:
                index = self._open()
                self._apply(index, batch, orders)
                if not self._owner.is_current():  # replaced meanwhile: it went to the old one
                    continue
                report.known = batch.finish()
                for order in orders:
                    if isinstance(order, Job):
                        _do(order, index)
                self._keep_up(index, report)
            except IndexDamaged:
                if self._owner.path is not None:
                    report.quarantined += self._owner.replace(self._owner.path)
            else:
                return
        raise IndexUnavailable("no index stays")

    def _open(self) -> Index:
        if not self._owner.is_current():
            try:
                self._files.prepare()
            except OSError as exc:
                raise IndexUnavailable(str(exc)) from exc
            self._sweep.begin(is_new=self._owner.ensure())
        return self._owner.get()

    def _apply(self, index: Index, batch: Batch, orders: list[Order]) -> None:
        forgotten = [order.key for order in orders if isinstance(order, Forget)]
        tags = [order for order in orders if isinstance(order, Tag)]
        if batch.written:
            self._make_room(index, batch.incoming_bytes)
            with suppress(IndexUnavailable):  # its journal may need more room than there is
                self._shrink(index, batch.row_bytes // PAGE_BYTES)
            batch.used_ms = self._midpoint.used_ms(index, batch.used_ms)
        touches = self._take_touches()
        if batch.written or forgotten or tags or touches:
            with index.transaction():
                self._forget(index, forgotten)
                batch.enter(index)
                for key, tag in tags:
                    index.set_tag(key, tag)
                index.touch(touches.items())
        if batch.missing_bytes:
            self._eviction.free_space(index, batch.missing_bytes)

    def _make_room(self, index: Index, incoming_bytes: int) -> bool:
        self._eviction.limit_bytes = self._footprint.room(index)
        return self._eviction.make_room(index, incoming_bytes)

    def _take_touches(self) -> dict[bytes, int]:
        touches: dict[bytes, int] = {}
        while self._touched and len(touches) < TOUCHES_PER_TURN:
            key, used_ms = self._touched.popleft()
            touches[key] = used_ms
        return touches

    def _shrink(self, index: Index, wanted_pages: int = 0) -> bool:
        """Give free pages back, but those that are wanted; tell whether there are more."""
        spare_pages = self._footprint.spare_bytes // PAGE_BYTES + wanted_pages
        return all(index.shrink(spare_pages, SHRINK_PAGES) for _ in range(SHRINKS))

    def _forget(self, index: Index, keys: list[bytes]) -> None:
        entries = [entry for key in keys if (entry := index.entry(key)) is not None]
        if not all(entry.is_file for entry in entries):
            index.check()
        # A file that is there was written again meanwhile.
        index.remove(e.id for e in entries if not e.is_file or self._files.size(e.key) is None)

    def _keep_up(self, index: Index, report: Report) -> None:
        """Do what is to be done besides orders: a little of it at each turn."""
        started = self._clock.monotonic()
        step = self._sweep.step(index)
        if step is not None:
            report.known += step.known
            report.quarantined += step.quarantined
            self._patience_s = self._clock.monotonic() - started  # half of the time at most
        fits = self._make_room(index, 0)
        is_shrinking = self._shrink(index)
        is_late = bring_back(index, int(self._clock.now() * 1000))
        if is_late or is_shrinking or (self._eviction.evicted and not fits):
            self._patience_s = 0.0  # there is more to do
        report.purges = purges_after(index, self._purges_seen)
        self._purges_seen = report.purges.last
        report.blocks, report.bytes = index.totals()
        report.coldest_ms = index.coldest_ms()
        report.pins, report.pinned_bytes = total_of(index)


def _do(job: Job, index: Index) -> None:
    if job.result.done():  # in an earlier attempt
        return
    try:
        job.result.set_result(job.run(index))
    except (IndexDamaged, IndexUnavailable):
        raise
    except Exception as exc:  # noqa: BLE001 (its owner gets it)
        job.result.set_exception(exc)


def _refuse(orders: list[Order], error: Exception) -> None:
    for order in orders:
        if isinstance(order, Job) and not order.result.done():
            order.result.set_exception(error)


def _report_on(orders: list[Order]) -> Report:
    return Report(
        done=[order.key for order in orders if isinstance(order, Store)],
        flushed=sum(isinstance(order, Flush) for order in orders),
    )


def _size_of(order: Order) -> int:
    return len(order.data) if isinstance(order, Store) else 0
