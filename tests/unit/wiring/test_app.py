"""Everything of one gateway that goes on behind requests is watched. Issue 12, 13."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.client_table import ClientTable
from gateway.ops.logs import Logs
from gateway.settings import parse_settings
from gateway.wiring import app

NOWHERE = "127.0.0.1:1"


@pytest.fixture(name="quiet", autouse=True)
def quiet_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave the logging of this process as it is."""
    with (tmp_path / "log").open("wb") as log:
        monkeypatch.setattr(app, "configure", lambda settings: Logs(settings, log.fileno()))
        yield


async def test_all_that_goes_on_behind_requests_is_seen(tmp_path: Path) -> None:
    rules = tmp_path / "rules.deny"
    rules.write_text("/ipfs/bafkqaaa\n")
    settings = parse_settings(
        {
            "cache": {"directory": str(tmp_path / "cache"), "scrub_rate": "1KiB"},
            "cluster": {"api": f"http://{NOWHERE}"},
            "denylist": {"files": [str(rules)]},
            "shared": {"redis": f"redis://{NOWHERE}/0"},
        }
    )
    gateway = await app.build(settings, ClientTable.private(slots=64))
    try:
        await gateway.start()
        tasks = gateway.snapshot()["tasks"]
    finally:
        await gateway.close()

    assert sorted(row["task"] for row in tasks) == [
        "cluster",
        "counts",
        "denylist",
        "hosts",
        "pins",
        "probes",
        "scrub",
        "shared-purges",
        "shared-writes",
    ]
    assert not any(row["problem"] for row in tasks)
