from pathlib import Path

import pytest

from benchmarks.kills import LIMIT_BYTES, SIZES, Tally, kill_writers, kills_table, missed_bars
from gateway.cache.states import MIN_FILE_BYTES
from gateway.content.block import MAX_BLOCK_BYTES


def test_writers_write_rows_and_files_up_to_the_largest_block() -> None:
    assert min(SIZES) < MIN_FILE_BYTES - 1 in SIZES
    assert MIN_FILE_BYTES in SIZES
    assert max(SIZES) == MAX_BLOCK_BYTES


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_few_kills_hold_every_bar(tmp_path: Path) -> None:
    tally = await kill_writers(tmp_path / "cache", 4)
    assert tally.written > 0
    assert tally.compared > tally.written
    assert missed_bars([kills_table(tally)]) == []


@pytest.mark.parametrize("fault", ["wrong", "stuck", "missing", "lost_bytes", "leftovers"])
def test_a_table_says_which_bar_is_missed(fault: str) -> None:
    tally = Tally()
    setattr(tally, fault, 3)
    (missed,) = missed_bars([kills_table(tally)])
    assert "3: <= 0: MISSED" in missed


def test_a_directory_far_above_its_limit_misses_the_bar() -> None:
    (missed,) = missed_bars([kills_table(Tally(largest_bytes=LIMIT_BYTES + (9 << 20)))])
    assert missed == "MiB above limit: 9.0: <= 8: MISSED"
