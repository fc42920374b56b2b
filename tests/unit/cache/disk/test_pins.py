"""Pins: marked blocks are never evicted, and the wish outlives the index."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cache.disk.eviction import Eviction
from gateway.cache.disk.files import BlockFiles
from gateway.cache.disk.index import Index
from gateway.cache.disk.pins import PinBook, mark, read_pins, set_state, unmark
from gateway.cache.disk.schema import cost_of
from gateway.errors import PinsFull
from gateway.ports import PinRow, PinState
from tests.fakes.blocks import numbered

SIZE = 1000
ROOMY = 1 << 30
KEYS = [numbered(n, 8).cid.multihash for n in range(6)]
SIZES = dict.fromkeys(KEYS[:3], SIZE)


@pytest.fixture(name="index")
def index_fixture(tmp_path: Path) -> Iterator[Index]:
    Index.create(tmp_path / "index-1.sqlite")
    index = Index(tmp_path / "index-1.sqlite", 0)
    add(index, *KEYS)
    yield index
    index.close()


def add(index: Index, *keys: bytes) -> None:
    with index.transaction():
        for number, key in enumerate(keys):
            index.add(key, SIZE, number, bytes(SIZE))


def evict_all(index: Index, tmp_path: Path) -> set[bytes]:
    """Make room for everything; return what is left."""
    Eviction(BlockFiles(tmp_path), 1).make_room(index, 1 << 20)
    return {entry.key for entry in index.entries_after(0, 100)}


def test_marked_blocks_survive_every_eviction(index: Index, tmp_path: Path) -> None:
    assert mark(index, b"root", SIZES, ROOMY) == []
    assert evict_all(index, tmp_path) == set(SIZES)


def test_a_use_does_not_take_the_mark_off(index: Index, tmp_path: Path) -> None:
    mark(index, b"root", SIZES, ROOMY)
    with index.transaction():
        index.touch([(key, 10_000) for key in SIZES])
    assert evict_all(index, tmp_path) == set(SIZES)


def test_the_coldest_block_is_one_that_can_be_evicted(index: Index) -> None:
    mark(index, b"root", SIZES, ROOMY)
    assert index.coldest_ms() == 3
    mark(index, b"root", dict.fromkeys(KEYS, SIZE), ROOMY)
    assert index.coldest_ms() is None


def test_blocks_that_are_not_here_are_told_and_stay_when_they_come(
    index: Index, tmp_path: Path
) -> None:
    late = numbered(99, 8).cid.multihash
    assert mark(index, b"root", {**SIZES, late: SIZE}, ROOMY) == [late]
    add(index, late)
    assert evict_all(index, tmp_path) == {*SIZES, late}


def test_unmarked_blocks_can_go_again(index: Index, tmp_path: Path) -> None:
    mark(index, b"root", SIZES, ROOMY)
    unmark(index, b"root", 5000)
    assert read_pins(index) == []
    assert evict_all(index, tmp_path) == set()


def test_a_block_of_two_pins_stays_for_the_other(index: Index, tmp_path: Path) -> None:
    mark(index, b"one", SIZES, ROOMY)
    mark(index, b"two", {KEYS[0]: SIZE, KEYS[5]: SIZE}, ROOMY)
    unmark(index, b"one", 5000)
    assert evict_all(index, tmp_path) == {KEYS[0], KEYS[5]}


def test_a_pin_counts_its_blocks_once_and_shared_ones_with_the_first(index: Index) -> None:
    for _ in range(2):
        mark(index, b"one", SIZES, ROOMY)
    mark(index, b"two", {KEYS[0]: SIZE, KEYS[5]: SIZE}, ROOMY)
    set_state(index, b"two", PinState.FAILED, "no upstream")
    assert read_pins(index) == [
        PinRow(b"one", PinState.FETCHING, "", 3, 3 * cost_of(SIZE)),
        PinRow(b"two", PinState.FAILED, "no upstream", 2, cost_of(SIZE)),
    ]


def test_pins_leave_room_for_what_clients_ask_for(index: Index) -> None:
    with pytest.raises(PinsFull, match="80%"):
        mark(index, b"root", SIZES, 3 * cost_of(SIZE))
    assert read_pins(index) == []


def test_the_book_tells_all_processes_the_same(tmp_path: Path) -> None:
    ours, theirs = PinBook(tmp_path / "cache"), PinBook(tmp_path / "cache")
    assert ours.read() == {}
    before = theirs.version()
    ours.change({"a": 1.0, "b": 2.0}, [])
    assert theirs.version() != before
    assert theirs.change({"a": 9.0, "c": 3.0}, ["b"]) == {"a": 1.0, "c": 3.0}
    assert ours.read() == {"a": 1.0, "c": 3.0}


def test_one_process_leads_until_it_closes(tmp_path: Path) -> None:
    ours, theirs = PinBook(tmp_path), PinBook(tmp_path)
    assert ours.lead()
    assert not theirs.lead()
    ours.close()
    assert theirs.lead()
    theirs.close()


def test_nobody_leads_without_a_directory(tmp_path: Path) -> None:
    assert not PinBook(tmp_path / "absent").lead()


def test_a_damaged_book_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "pins.json").write_text("{", "ascii")
    with pytest.raises(OSError, match="damaged"):
        PinBook(tmp_path).change({"a": 1.0}, [])
    assert (tmp_path / "pins.json").read_text("ascii") == "{"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[]", id="list"),
        pytest.param("[1]", id="list-of-numbers"),
        pytest.param('"text"', id="text"),
        pytest.param("7", id="number"),
        pytest.param("null", id="nothing"),
        pytest.param("[" * 100_000, id="nested"),
        pytest.param("1" * 5000, id="long-number"),
    ],
)
def test_a_book_that_is_no_table_is_damaged(tmp_path: Path, text: str) -> None:
    """Issue 12, 13: what the keeper of the pins does not expect ended it."""
    (tmp_path / "pins.json").write_text(text, "ascii")
    with pytest.raises(OSError, match="damaged"):
        PinBook(tmp_path).read()


@pytest.mark.parametrize(
    ("since", "seconds"),
    [
        ("1.5", 1.5),
        ('"2.5"', 2.5),
        ("null", 0.0),
        ('"yesterday"', 0.0),
        ("[]", 0.0),
        ("NaN", 0.0),
        ("-Infinity", 0.0),
        ("1" + "0" * 400, 0.0),
    ],
)
def test_a_pin_stays_whatever_its_time_says(tmp_path: Path, since: str, seconds: float) -> None:
    (tmp_path / "pins.json").write_text(f'{{"a": {since}}}', "ascii")
    assert PinBook(tmp_path).read() == {"a": seconds}


def test_an_entry_that_is_no_cid_is_kept_for_its_writer_to_mend(tmp_path: Path) -> None:
    (tmp_path / "pins.json").write_text('{"no cid": 1, "\\ud800": 2}', "ascii")
    assert PinBook(tmp_path).change({"a": 3.0}, []) == {"no cid": 1.0, "\\ud800": 2.0, "a": 3.0}


def test_a_book_that_is_being_changed_is_left_alone(tmp_path: Path) -> None:
    book = PinBook(tmp_path)
    with book._locked(), pytest.raises(OSError, match="another process"):
        book.change({"a": 1.0}, [])


def test_a_book_has_a_bound(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="more than 10000"):
        PinBook(tmp_path).change({str(n): 1.0 for n in range(10_001)}, [])
