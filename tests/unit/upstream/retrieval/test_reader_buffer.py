"""Blocks set aside for a reader."""

from gateway.ports import Tier
from gateway.upstream.retrieval.reader_buffer import Shelf
from tests.fakes.blocks import numbered

ONE, TWO = numbered(1, 100), numbered(2, 50)


class Counter:
    """Counts what a shelf says."""

    def __init__(self) -> None:
        self.rooms = 0
        self.left: list[Shelf] = []

    def made_room(self) -> None:
        self.rooms += 1

    def leave(self, shelf: Shelf) -> None:
        self.left.append(shelf)


def test_a_block_is_taken_once_with_where_it_came_from() -> None:
    shelf, source = Shelf(), Counter()
    shelf.put(ONE, Tier.DISK, source)
    assert (shelf.size_bytes, ONE.cid.multihash in shelf) == (100, True)
    assert shelf.take(ONE.cid.multihash) == (ONE, Tier.DISK)
    assert shelf.take(ONE.cid.multihash) is None
    assert (shelf.size_bytes, source.rooms) == (0, 1)


def test_a_block_put_twice_is_taken_twice_and_counts_once() -> None:
    shelf, source = Shelf(), Counter()
    shelf.put(ONE, None, source)
    shelf.put(ONE, None, source)
    assert shelf.size_bytes == 100
    assert shelf.take(ONE.cid.multihash) == shelf.take(ONE.cid.multihash) == (ONE, None)
    assert (shelf.take(ONE.cid.multihash), shelf.size_bytes) == (None, 0)


def test_clearing_spares_what_others_brought() -> None:
    shelf, source, other = Shelf(), Counter(), Counter()
    shelf.put(ONE, None, source)
    shelf.put(TWO, None, other)
    shelf.clear(source)
    assert (shelf.size_bytes, ONE.cid.multihash in shelf) == (50, False)
    assert shelf.take(TWO.cid.multihash) == (TWO, None)


def test_closing_tells_workers_and_takes_no_more() -> None:
    shelf, worker = Shelf(), Counter()
    shelf.workers.add(worker)
    shelf.put(ONE, None, worker)
    shelf.close()
    shelf.put(TWO, None, worker)
    assert (worker.left, shelf.size_bytes, shelf.workers) == ([shelf], 0, set())
    assert TWO.cid.multihash not in shelf
