import pytest

from benchmarks.micro.bench_cache import BAR_US, Figure
from benchmarks.scale import Pressure, finds_table, measure_scale, pressure_table

MIB = 1024 * 1024


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_small_cache_is_found_in_and_evicted_from() -> None:
    finds, evictions = await measure_scale(blocks=300, seconds=1, finds=40)
    assert len(finds.rows) == 6
    assert len(evictions.rows) == 6


@pytest.mark.parametrize(
    ("name", "median_us", "verdict"),
    [
        pytest.param("1 KiB, cid", BAR_US, "<= 60", id="held"),
        pytest.param("1 KiB, tag", BAR_US + 1, "<= 60: MISSED", id="missed"),
        pytest.param("1 KiB, by a thread, cid", 200.0, "", id="the-long-way-has-no-bar"),
        pytest.param("256 KiB, cid", 200.0, "", id="a-large-block-has-no-bar"),
    ],
)
def test_finds_of_small_blocks_have_a_bar(name: str, median_us: float, verdict: str) -> None:
    (row,) = finds_table([Figure(name, median_us, 300.0)], 1).rows
    assert row[-1] == verdict


@pytest.mark.parametrize(
    ("gap_ms", "above_bytes", "missed"),
    [
        pytest.param(100.0, 8 * MIB, [], id="held"),
        pytest.param(101.0, 0, ["longest gap of the event loop, ms"], id="stalled"),
        pytest.param(1.0, 9 * MIB, ["MiB above limit, at most"], id="too-large"),
    ],
)
def test_stalls_and_growth_have_a_bar(gap_ms: float, above_bytes: int, missed: list[str]) -> None:
    seen = Pressure(
        limit_bytes=MIB,
        finds_ms=[0.1],
        longest_gap_ms=gap_ms,
        largest_bytes=MIB + above_bytes,
        seconds=1.0,
    )
    rows = pressure_table(seen).rows
    assert [row[0] for row in rows if "MISSED" in row[-1]] == missed


def test_a_machine_that_stalls_by_itself_is_said_to() -> None:
    seen = Pressure(
        limit_bytes=MIB, finds_ms=[0.1], longest_gap_ms=300.0, idle_gap_ms=200.0, seconds=1.0
    )
    (verdict,) = [row[-1] for row in pressure_table(seen).rows if row[0].startswith("longest gap")]
    assert verdict == "<= 100, but this machine stalls by itself"
