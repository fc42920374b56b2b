"""What the mix asks for, and its tables, from figures that are made up."""

from pathlib import Path

import pytest

from benchmarks.data.content import KIB, MIB
from benchmarks.data.mix_rows import (
    APART,
    FILES,
    ROWS,
    SMOKE_ROWS,
    Kind,
    Row,
    cold_files,
    make_content,
    memory_of,
)
from benchmarks.mix import choose_rows
from benchmarks.report.measured import Measured
from benchmarks.report.mix_bars import BARS, COLD, DISK, mix_bars_table
from benchmarks.report.mix_tables import mix_table, ratios_table
from benchmarks.rig.contenders import GATEWAY_ALONE, GATEWAY_TAG, NGINX_CACHE, RAINBOW

NGINX = Measured(1000, 10, 20, 2, 8, MIB)
OURS = Measured(500, 5, 50, 2, 9, 2 * MIB, "disk 30, hot 10")


def test_every_bar_is_of_a_row() -> None:
    assert {bar.case for bar in BARS} <= {row.label for row in ROWS}


def test_labels_name_one_row_each() -> None:
    assert len({row.label for row in ROWS}) == len(ROWS)


def test_smoke_has_every_kind_but_ranges_once() -> None:
    assert sorted(row.kind for row in SMOKE_ROWS) == sorted(set(Kind) - {Kind.RANGE})


@pytest.mark.parametrize(
    ("size", "memory"),
    [(KIB, "1638KiB"), (10 * KIB, "16384KiB"), (100 * KIB, "40960KiB")],
)
def test_memory_is_the_same_part_of_all_files(size: int, memory: str) -> None:
    assert memory_of(size, FILES) == memory


def test_cold_files_are_four_thousand_over_many_connections() -> None:
    assert cold_files(10 * KIB, FILES, 64) == 4000
    assert cold_files(10 * KIB, FILES, 1) == 1000


def test_rows_are_chosen_by_kind_size_and_connections() -> None:
    labels = [row.label for row in choose_rows(["disk", "cold"], [10], 64)]
    assert labels == [DISK, COLD, f"{DISK}, 2 workers"]
    assert choose_rows([], [], 0) == list(ROWS)


@pytest.fixture(name="folder", scope="module")
def folder_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mix") / "cars"


def test_every_row_asks_for_something_of_its_size(folder: Path) -> None:
    rows = [row for row in ROWS if row.size <= 16 * KIB]
    content = make_content(folder, rows, 40)
    sizes = {row.label: content.asks(row).body_bytes for row in rows}
    expected = {row.label: 0 if row.kind is Kind.UNCHANGED else row.size for row in rows}
    assert sizes == expected
    cold = content.asks(Row(Kind.COLD, 10 * KIB))
    assert len(cold.order) == cold_files(10 * KIB, 40, 64) + APART
    assert len(content.asks(Row(Kind.HOT, KIB)).asks) == 1


def test_figures_stand_beside_those_of_nginx() -> None:
    found = {DISK: {NGINX_CACHE: NGINX, GATEWAY_ALONE: OURS}}
    row = mix_table(found).rows[1]
    assert row[:6] == ("", GATEWAY_ALONE, "500", "0.50", "50.0", "2.50")
    assert row[-1] == "disk 30, hot 10"
    assert ratios_table(found).rows[1] == (DISK, GATEWAY_ALONE, "0.50", "2.50", "4.5")


def test_figures_without_nginx_have_no_ratio() -> None:
    assert mix_table({DISK: {GATEWAY_ALONE: OURS}}).rows[0][3] == "-"


@pytest.mark.parametrize(
    ("ours", "verdicts"),
    [
        pytest.param(OURS, ["held", "held", "held", "held", "held"], id="held"),
        pytest.param(
            OURS._replace(cpu_us=61, rate=349, p99_ms=11),
            ["MISSED", "MISSED", "MISSED", "MISSED", "MISSED"],
            id="missed",
        ),
        pytest.param(
            OURS._replace(cpu_us=41), ["held", "held", "MISSED", "held", "held"], id="by-tag"
        ),
    ],
)
def test_bars_are_those_of_the_disk(ours: Measured, verdicts: list[str]) -> None:
    tag = ours if ours.cpu_us != 50 else ours._replace(cpu_us=40)
    found = {DISK: {NGINX_CACHE: NGINX, GATEWAY_ALONE: ours, GATEWAY_TAG: tag}}
    assert [row[-1] for row in mix_bars_table(found).rows] == verdicts


def test_cold_is_never_slower_than_rainbow() -> None:
    found = {COLD: {RAINBOW: NGINX, GATEWAY_ALONE: OURS}}
    assert [row[1:] for row in mix_bars_table(found).rows] == [("0.50", "MISSED"), ("4.5", "held")]
