import pytest

from benchmarks.micro import bench_hot


async def test_every_case_runs_and_takes_some_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_hot, "BATCHES", 1)
    monkeypatch.setattr(bench_hot, "REQUESTS", 20)
    found = await bench_hot.measure()
    assert [case.name for case in found if case.us <= 0] == []
