import json
import os
from pathlib import Path

import pytest

from gateway.ops.overview import Status
from gateway.ops.statistics import Statistics
from gateway.ops.worker import read_process, take_snapshot
from tests.fakes.workers import upstream_row


def test_a_snapshot_holds_everything_and_is_json() -> None:
    snapshot = take_snapshot(
        Statistics(), ({"blocks": 1}, (Status.HEALTHY, "fine")), [upstream_row()], 10.0, 20.0
    )
    assert json.loads(json.dumps(snapshot)) == snapshot
    assert snapshot["pid"] == os.getpid()
    assert snapshot["cache_health"] == {"status": "healthy", "reason": "fine"}
    assert (snapshot["started"], snapshot["taken"]) == (10.0, 20.0)


def test_a_process_knows_its_memory_cpu_and_files(tmp_path: Path) -> None:
    before = read_process()
    with (tmp_path / "file").open("w"):
        during = read_process()
    assert before["rss_bytes"] > 1_000_000
    assert before["cpu_s"] > 0
    assert during["open_fds"] == before["open_fds"] + 1


def test_a_process_without_procfs_knows_its_memory_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.ops.worker._STATM", Path("/nowhere"))
    monkeypatch.setattr("gateway.ops.worker._FDS", (Path("/nowhere"),))
    figures = read_process()
    assert figures["rss_bytes"] > 1_000_000
    assert figures["open_fds"] == 0
