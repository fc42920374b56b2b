"""The index: exact totals, the order of use, and an opinion on its own health."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.cache.disk import index as module
from gateway.cache.disk.index import Index, IndexDamaged, IndexUnavailable
from gateway.cache.disk.schema import FILE_SYSTEM_BLOCK, PAGE_BYTES, cost_of
from gateway.cache.states import MIN_FILE_BYTES
from tests.fakes.blocks import numbered
from tests.fakes.cache_directory import alter

SMALL = 1000
LARGE = 50_000


def key_of(number: int) -> bytes:
    return numbered(number, 8).cid.multihash


def data_of(number: int) -> bytes:
    return numbered(number, SMALL).data


@pytest.fixture(name="path")
def path_fixture(tmp_path: Path) -> Path:
    path = tmp_path / "index.sqlite"
    Index.create(path)
    return path


@pytest.fixture(name="index")
def index_fixture(path: Path) -> Iterator[Index]:
    index = Index(path, 0)
    yield index
    index.close()


def add_small(index: Index, *numbers: int) -> None:
    with index.transaction():
        for number in numbers:
            index.add(key_of(number), SMALL, number, data_of(number))


def add_large(index: Index, *numbers: int) -> None:
    with index.transaction():
        for number in numbers:
            index.add(key_of(number), LARGE, number, None)


def test_returns_the_bytes_of_small_blocks(index: Index) -> None:
    add_small(index, 1)
    assert index.blob(key_of(1)) == data_of(1)
    assert index.blob(key_of(2)) is None


def test_has_no_bytes_of_large_blocks(index: Index) -> None:
    add_large(index, 1)
    assert index.blob(key_of(1)) is None
    entry = index.entry(key_of(1))
    assert entry is not None
    assert (entry.key, entry.size, entry.is_file) == (key_of(1), LARGE, True)


def test_counts_blocks_and_what_they_take(index: Index) -> None:
    add_small(index, 1, 2)
    add_large(index, 3)
    assert index.totals() == (3, 2 * cost_of(SMALL) + cost_of(LARGE))


def test_counts_a_block_once_however_often_it_is_added(index: Index) -> None:
    for _ in range(3):
        add_small(index, 1)
        add_large(index, 2)
    assert index.totals()[0] == 2


def test_enters_a_small_block_anew_when_its_bytes_were_others(index: Index) -> None:
    with index.transaction():
        index.add(key_of(1), SMALL, 1, bytes(SMALL))
    add_small(index, 1)
    assert index.blob(key_of(1)) == data_of(1)
    assert index.totals()[0] == 1


def test_removes_entries_and_their_bytes(index: Index) -> None:
    add_small(index, 1, 2)
    entry = index.entry(key_of(1))
    assert entry is not None
    with index.transaction():
        index.remove([entry.id])
    assert index.blob(key_of(1)) is None
    assert index.totals() == (1, cost_of(SMALL))


def test_a_failed_transaction_changes_nothing(index: Index) -> None:
    def fail_after_adding() -> None:
        with index.transaction():
            index.add(key_of(1), SMALL, 1, data_of(1))
            raise KeyError("a reason")

    with pytest.raises(KeyError, match="a reason"):
        fail_after_adding()
    assert index.totals() == (0, 0)
    add_small(index, 1)


def test_orders_blocks_by_last_use(index: Index) -> None:
    add_small(index, 1, 2, 3)
    with index.transaction():
        index.touch([(key_of(1), 10), (key_of(99), 10)])
    assert [entry.key for entry in index.oldest(2)] == [key_of(2), key_of(3)]
    assert index.coldest_ms() == 2


def test_a_use_that_hardly_moves_a_block_is_not_written(index: Index) -> None:
    """The coldest block is 16 ms old at 16: a sixteenth of that is 1."""
    add_small(index, 0, 15, 14)
    with index.transaction():
        index.touch([(key_of(15), 16), (key_of(14), 16)])
    assert [entry.key for entry in index.oldest(3)] == [key_of(0), key_of(15), key_of(14)]


def test_a_use_in_the_past_changes_nothing(index: Index) -> None:
    add_small(index, 5, 6)
    with index.transaction():
        index.touch([(key_of(6), 1)])
    assert [entry.key for entry in index.oldest(2)] == [key_of(5), key_of(6)]


def test_pages_through_all_entries(index: Index) -> None:
    add_small(index, *range(5))
    first = index.entries_after(0, 3)
    second = index.entries_after(first[-1].id, 3)
    assert [entry.key for entry in first + second] == [key_of(n) for n in range(5)]
    assert index.entries_after(second[-1].id, 3) == []


def test_tells_the_sizes_of_many_blocks_at_once(index: Index) -> None:
    add_small(index, 1)
    add_large(index, 2)
    asked = [key_of(n) for n in range(4)]
    assert index.sizes(asked) == {key_of(1): SMALL, key_of(2): LARGE}
    assert index.sizes([]) == {}


def test_an_empty_index_has_no_coldest_block(index: Index) -> None:
    assert index.coldest_ms() is None
    assert index.oldest(10) == []


def test_recount_corrects_the_totals(path: Path, index: Index) -> None:
    add_small(index, 1, 2)
    alter(path, "UPDATE totals SET blocks = 7, bytes = 1 << 50")
    with index.transaction():
        index.recount()
    assert index.totals() == (2, 2 * cost_of(SMALL))


def test_gives_free_pages_back(path: Path, index: Index) -> None:
    add_small(index, *range(800))
    full = path.stat().st_size
    with index.transaction():
        index.remove(entry.id for entry in index.oldest(800))
    assert index.shrink(0, 4)
    assert not index.shrink(0, 1000)
    assert path.stat().st_size < full / 4
    assert not index.shrink(1000, 4)


def test_what_is_committed_is_seen_by_other_connections(path: Path, index: Index) -> None:
    add_small(index, 1)
    other = Index(path, 0)
    assert other.blob(key_of(1)) == data_of(1)
    other.close()


def test_files_of_the_index_are_private(path: Path, index: Index) -> None:
    add_small(index, 1)
    modes = {p.name: p.stat().st_mode & 0o777 for p in path.parent.iterdir()}
    assert modes == {"index.sqlite": 0o600, "index.sqlite-journal": 0o600}


def test_notices_that_the_file_was_replaced(path: Path, index: Index) -> None:
    assert index.is_current()
    path.unlink()
    assert not index.is_current()
    Index.create(path)
    assert not index.is_current()


def test_a_locked_index_is_unavailable(path: Path, index: Index) -> None:
    other = Index(path, 0)
    with other.transaction(), pytest.raises(IndexUnavailable, match="locked"), index.transaction():
        pass
    other.close()


def test_a_closed_index_is_unavailable(path: Path) -> None:
    index = Index(path, 0)
    index.close()
    index.close()
    with pytest.raises(IndexUnavailable, match="closed"):
        index.totals()


def test_an_absent_index_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(IndexUnavailable, match=r"No such file|unable to open"):
        Index(tmp_path / "absent", 0)


def test_an_index_is_not_made_over_something(path: Path) -> None:
    with pytest.raises(IndexUnavailable, match="exists"):
        Index.create(path)


def become_text(path: Path) -> None:
    path.write_text("not a database at all" * 100)


def become_empty(path: Path) -> None:
    os.truncate(path, 0)


def become_a_link(path: Path) -> None:
    path.rename(path.with_name("other"))
    path.symlink_to("other")


def become_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def lose_its_end(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def have_another_format(path: Path) -> None:
    alter(path, "PRAGMA user_version = 99")


def have_an_unknown_trigger(path: Path) -> None:
    alter(path, "CREATE TRIGGER x AFTER INSERT ON entries BEGIN DELETE FROM blobs; END")


def lack_a_table(path: Path) -> None:
    alter(path, "DROP TABLE blobs")


def use_a_log(path: Path) -> None:
    """Stay in WAL mode because a reader holds it there."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


@pytest.mark.parametrize(
    "damage",
    [
        become_text,
        become_empty,
        become_a_link,
        become_a_folder,
        lose_its_end,
        have_another_format,
        have_an_unknown_trigger,
        lack_a_table,
    ],
    ids=lambda damage: damage.__name__,
)
def test_refuses_what_is_no_sound_index(path: Path, damage: Callable[[Path], None]) -> None:
    damage(path)
    with pytest.raises(IndexDamaged, match=r"\w"):
        Index(path, 0)


def test_turns_the_write_ahead_log_off(path: Path) -> None:
    use_a_log(path)
    index = Index(path, 0)
    add_small(index, 1)
    index.close()
    assert not path.with_name("index.sqlite-wal").exists()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET size = size * 2",
        "UPDATE entries SET size = 'many'",
        "UPDATE entries SET key = 'a key'",
        "UPDATE entries SET cost = 1 << 40",
        "UPDATE entries SET size = -1",
    ],
)
def test_an_entry_that_contradicts_itself_is_damage(
    path: Path, index: Index, statement: str
) -> None:
    add_small(index, 1)
    alter(path, statement)
    with pytest.raises(IndexDamaged, match="an entry"):
        index.oldest(1)


@pytest.mark.parametrize("statement", ["UPDATE totals SET bytes = 'x'", "DELETE FROM totals"])
def test_totals_that_are_none_are_damage(path: Path, index: Index, statement: str) -> None:
    alter(path, statement)
    with pytest.raises(IndexDamaged, match="a total"):
        index.totals()
    with pytest.raises(IndexDamaged, match="a total"):
        index.row_bytes()


def test_an_impossible_cost_is_not_counted(path: Path, index: Index) -> None:
    add_small(index, 1)
    alter(path, "UPDATE entries SET cost = 1 << 40")
    with pytest.raises(IndexDamaged, match="so much room"), index.transaction():
        index.recount()


def test_bytes_that_are_none_are_damage(path: Path, index: Index) -> None:
    add_small(index, 1)
    alter(path, "UPDATE blobs SET data = 'text'")
    with pytest.raises(IndexDamaged, match="not bytes"):
        index.blob(key_of(1))


def test_an_entry_without_its_bytes_is_damage(path: Path, index: Index) -> None:
    add_small(index, 1)
    alter(path, "DELETE FROM blobs")
    with pytest.raises(IndexDamaged, match="lost its bytes"):
        add_small(index, 1)


def test_a_sound_index_passes_its_check(index: Index) -> None:
    add_small(index, *range(20))
    index.check()


@pytest.fixture(name="damaged")
def damaged_fixture(path: Path) -> Iterator[Index]:
    """An index whose last page has a count of cells that cannot be."""
    index = Index(path, 0)
    add_small(index, *range(200))
    index.close()
    with path.open("r+b") as file:
        file.seek(path.stat().st_size - PAGE_BYTES + 3)
        file.write(b"\xff")
    again = Index(path, 0)
    yield again
    again.close()


def test_a_damaged_structure_fails_the_check(damaged: Index) -> None:
    with pytest.raises(IndexDamaged, match=r"structure|malformed"):
        damaged.check()


def test_a_file_too_large_to_be_checked_is_taken_for_sound(
    damaged: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_CHECKED_BYTES", PAGE_BYTES)
    damaged.check()


class IndexMachine(RuleBasedStateMachine):
    """Whatever is done, the totals are the sums and the oldest comes first."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        path = Path(self.folder.name) / "index.sqlite"
        Index.create(path)
        self.index = Index(path, 0)
        self.model: dict[int, tuple[int, int]] = {}
        """Number to size and time of use."""
        self.now = 0

    @rule(number=st.integers(0, 12), is_large=st.booleans())
    def add(self, number: int, *, is_large: bool) -> None:
        self.now += 1
        key = number * 2 + is_large
        if is_large:
            with self.index.transaction():
                self.index.add(key_of(key), LARGE, self.now, None)
        else:
            with self.index.transaction():
                self.index.add(key_of(key), SMALL, self.now, data_of(key))
        self.model.setdefault(key, (LARGE if is_large else SMALL, self.now))

    @rule(number=st.integers(0, 25))
    def touch(self, number: int) -> None:
        self.now += 1
        with self.index.transaction():
            self.index.touch([(key_of(number), self.now)])
        if number in self.model:
            self.model[number] = (self.model[number][0], self.now)

    @rule(count=st.integers(1, 4))
    def evict(self, count: int) -> None:
        victims = self.index.oldest(count)
        with self.index.transaction():
            self.index.remove(entry.id for entry in victims)
        expected = sorted(self.model, key=lambda n: self.model[n][1])[:count]
        assert [entry.key for entry in victims] == [key_of(n) for n in expected]
        for number in expected:
            del self.model[number]

    @invariant()
    def totals_are_the_sums(self) -> None:
        costs = [cost_of(size) for size, _ in self.model.values()]
        assert self.index.totals() == (len(costs), sum(costs))
        sizes = [size for size, _ in self.model.values() if size >= MIN_FILE_BYTES]
        files = sum(-(-size // FILE_SYSTEM_BLOCK) * FILE_SYSTEM_BLOCK for size in sizes)
        assert self.index.row_bytes() == sum(costs) - files

    def teardown(self) -> None:
        self.index.check()
        self.index.close()
        self.folder.cleanup()


TestIndexMachine = IndexMachine.TestCase
TestIndexMachine.settings = settings(max_examples=25, stateful_step_count=20)  # each has a file
