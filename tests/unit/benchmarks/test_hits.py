"""The tables and the plot of hits, from figures that are made up."""

from pathlib import Path

import pytest

from benchmarks.report.hit_bars import bars_table
from benchmarks.report.measured import Measured, best
from benchmarks.report.plot import draw_hits
from benchmarks.rig.contenders import (
    GATEWAY_ALONE,
    GATEWAY_DISK,
    GATEWAY_TWO,
    NGINX_CACHE,
    NGINX_STATIC,
    NGINX_TWO,
    configure_front,
)

SLOW = Measured(100, 10, 20, 2, 9, 1 << 20)
FAST = Measured(150, 15, 10, 1, 5, 2 << 20, "hot")


def test_the_best_run_counts_figure_by_figure() -> None:
    odd = Measured(90, 30, 5, 3, 9, 3 << 20, "memory")
    assert best([FAST, odd]) == Measured(150, 30, 5, 1, 5, 3 << 20, "memory")


@pytest.mark.parametrize(
    ("ours", "verdicts"),
    [
        pytest.param(FAST, {"held"}, id="held"),
        pytest.param(SLOW._replace(p99_ms=99, cpu_us=99), {"MISSED"}, id="missed"),
    ],
)
def test_bars_compare_figures_of_one_run(ours: Measured, verdicts: set[str]) -> None:
    rows = bars_table({"10 KiB": {NGINX_CACHE: SLOW, GATEWAY_ALONE: ours}}, 1000).rows
    assert {verdict for promise, _, verdict in rows if NGINX_CACHE in promise} == verdicts
    assert len(rows) == 4


@pytest.mark.parametrize(
    ("megabytes_s", "verdict"),
    [
        pytest.param(700, "held", id="0.93 of the limit"),
        pytest.param(600, "MISSED", id="0.80 of it"),
        pytest.param(1100, "held", id="fast enough anyway"),
    ],
)
def test_verified_files_are_compared_with_what_a_core_can_do(
    megabytes_s: float, verdict: str
) -> None:
    found = {NGINX_STATIC: SLOW._replace(megabytes_s=3000)}
    found[GATEWAY_DISK] = SLOW._replace(megabytes_s=megabytes_s)
    rows = bars_table({"64 MiB": found}, 1000).rows
    assert [row[2] for row in rows if "the limit" in row[0]] == [verdict]


@pytest.mark.parametrize(
    ("cpu_us", "verdict"),
    [pytest.param(12, "held", id="as-nginx"), pytest.param(14, "MISSED", id="more")],
)
def test_a_second_worker_may_cost_what_one_of_nginx_does(cpu_us: float, verdict: str) -> None:
    found = {NGINX_STATIC: FAST, NGINX_TWO: FAST._replace(cpu_us=12), GATEWAY_ALONE: FAST}
    found[GATEWAY_TWO] = FAST._replace(cpu_us=cpu_us)
    rows = bars_table({"10 KiB": found}, 1000).rows
    assert [row[2] for row in rows if "growth" in row[0]] == [verdict]


@pytest.mark.parametrize(
    ("rss_bytes", "verdict"),
    [pytest.param(150e6, "held", id="as-promised"), pytest.param(150e6 + 1, "MISSED", id="more")],
)
def test_memory_is_what_is_set_and_a_part_of_its_own(rss_bytes: float, verdict: str) -> None:
    found = {GATEWAY_DISK: SLOW._replace(rss_bytes=int(rss_bytes))}
    assert [row[2] for row in bars_table({"1 KiB": found}, 1000).rows] == [verdict]


def test_the_plot_is_drawn_where_a_server_lacks_a_size(tmp_path: Path) -> None:
    file = tmp_path / "hits.png"
    draw_hits({"1 KiB": {"a": SLOW, "b": FAST}, "1 MiB": {"b": FAST}}, file)
    assert file.read_bytes().startswith(b"\x89PNG")


def test_our_nginx_is_set_up_for_gateways_on_sockets(tmp_path: Path) -> None:
    sockets = [tmp_path / "0.sock", tmp_path / "1.sock"]
    configure_front(tmp_path / "nginx", 8000, sockets)
    upstream = (tmp_path / "nginx/site/upstream.conf").read_text()
    assert all(f"server unix:{socket} " in upstream for socket in sockets)
