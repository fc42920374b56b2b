"""What is asked of the cold benchmark, and its tables, from figures that are made up."""

import pytest

from benchmarks.cold import SMOKE, links_table, parse_plan, upstreams_table
from benchmarks.report.cold_bars import BAR_LINK, Cell, check_links, check_upstreams
from benchmarks.rig.fetched import Fetched, Size
from benchmarks.rig.fetchers import KUBO_BLOCKS, OURS, PLAIN
from benchmarks.rig.link import Shape

BIG = Cell(BAR_LINK, Size("100 MB", 100_000_000, 1))
SMALL = Cell(BAR_LINK, Size("100 KB", 100_000, 1))
FETCHED = {
    PLAIN: Fetched(50, 800),
    OURS: Fetched(55, 832),
    KUBO_BLOCKS: Fetched(200, 12_000),
}


def test_all_links_and_sizes_are_measured_by_default() -> None:
    plan = parse_plan([])
    assert {(link.round_trip_ms, link.mbit_s) for link in plan.links} == {
        *((ms, 100) for ms in (0, 20, 50, 100)),
        *((ms, 1000) for ms in (0, 20, 50, 100)),
    }
    assert [size.label for size in plan.sizes] == ["100 KB", "10 MB", "100 MB"]
    assert plan.tables == ("links", "upstreams")


def test_one_cell_is_measured_when_it_is_asked_for() -> None:
    plan = parse_plan(
        ["--table=links", "--round-trip-ms=50", "--mbit-s=1000", "--size=100 KB"],
    )
    assert plan.links == (Shape(50, 1000),)
    assert [size.label for size in plan.sizes] == ["100 KB"]
    assert plan.tables == ["links"]


def test_a_smoke_run_is_small() -> None:
    plan = parse_plan(["--smoke"])
    assert plan == SMOKE
    assert sum(size.size * size.files for size in plan.sizes) < 11_000_000


def test_everybody_is_compared_with_the_plain_stream() -> None:
    table = links_table({BIG: FETCHED})
    assert table.columns == ("link", "file", "plain", "ours", "Kubo by block")
    cells = ("50 / 800", "55 / 832, 1.04 x", "200 / 12,000, 15.00 x")
    assert table.rows == [("50 ms, 1000 Mbit/s", "100 MB", *cells)]


def test_ways_to_use_several_upstreams_have_a_row_each() -> None:
    table = upstreams_table(BIG, {PLAIN: FETCHED[PLAIN], OURS: FETCHED[OURS]})
    assert table.rows == [(PLAIN, "50 / 800"), (OURS, "55 / 832, 1.04 x")]


@pytest.mark.parametrize(
    ("ours", "held"),
    [
        pytest.param(Fetched(60, 840), [True, True], id="at-the-limits"),
        pytest.param(Fetched(60.1, 840), [False, True], id="late-first-byte"),
        pytest.param(Fetched(60, 841), [True, False], id="late-last-byte"),
    ],
)
def test_first_and_last_byte_have_a_limit(ours: Fetched, held: list[bool]) -> None:
    promises = check_links({BIG: {**FETCHED, OURS: ours}})
    assert [promise.is_held for promise in promises] == held


def test_only_the_link_of_the_promise_and_large_totals_are_compared() -> None:
    far = Cell(Shape(100, 100), BIG.size)
    (first,) = check_links({far: FETCHED, SMALL: FETCHED})
    assert first.text.startswith("100 KB, 50 ms, 1000 Mbit/s: first byte")


@pytest.mark.parametrize(("total_ms", "is_held"), [(320, True), (321, False)])
def test_three_upstreams_have_to_be_faster_than_one(total_ms: float, *, is_held: bool) -> None:
    assert check_upstreams(BIG, FETCHED[PLAIN], Fetched(50, total_ms)).is_held is is_held
