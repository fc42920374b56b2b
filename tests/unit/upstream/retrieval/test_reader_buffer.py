"""Blocks set aside for a reader."""

from gateway.ports import Tier
from gateway.upstream.retrieval.reader_buffer import ReaderBuffer
from tests.fakes.blocks import numbered

ONE, TWO = numbered(1, 100), numbered(2, 50)


class Counter:
    """Counts what a shelf says."""

    def __init__(self) -> None:
        self.rooms = 0
        self.left: list[ReaderBuffer] = []

    def made_room(self) -> None:
        self.rooms += 1

    def leave(self, reader_buffer: ReaderBuffer) -> None:
        self.left.append(reader_buffer)


def test_a_block_is_taken_once_with_where_it_came_from() -> None:
    reader_buffer, source = ReaderBuffer(), Counter()
    reader_buffer.put(ONE, Tier.DISK, source)
    assert (reader_buffer.size_bytes, ONE.cid.multihash in reader_buffer) == (100, True)
    assert reader_buffer.take(ONE.cid.multihash) == (ONE, Tier.DISK)
    assert reader_buffer.take(ONE.cid.multihash) is None
    assert (reader_buffer.size_bytes, source.rooms) == (0, 1)


def test_a_block_put_twice_is_taken_twice_and_counts_once() -> None:
    reader_buffer, source = ReaderBuffer(), Counter()
    reader_buffer.put(ONE, None, source)
    reader_buffer.put(ONE, None, source)
    assert reader_buffer.size_bytes == 100
    assert (
        reader_buffer.take(ONE.cid.multihash)
        == reader_buffer.take(ONE.cid.multihash)
        == (ONE, None)
    )
    assert (reader_buffer.take(ONE.cid.multihash), reader_buffer.size_bytes) == (None, 0)


def test_clearing_spares_what_others_brought() -> None:
    reader_buffer, source, other = ReaderBuffer(), Counter(), Counter()
    reader_buffer.put(ONE, None, source)
    reader_buffer.put(TWO, None, other)
    reader_buffer.clear(source)
    assert (reader_buffer.size_bytes, ONE.cid.multihash in reader_buffer) == (50, False)
    assert reader_buffer.take(TWO.cid.multihash) == (TWO, None)


def test_closing_tells_workers_and_takes_no_more() -> None:
    reader_buffer, worker = ReaderBuffer(), Counter()
    reader_buffer.workers.add(worker)
    reader_buffer.put(ONE, None, worker)
    reader_buffer.close()
    reader_buffer.put(TWO, None, worker)
    assert (worker.left, reader_buffer.size_bytes, reader_buffer.workers) == (
        [reader_buffer],
        0,
        set(),
    )
    assert TWO.cid.multihash not in reader_buffer
