"""The parts that answer requests for content, built from settings."""

from pathlib import Path

import pytest

from gateway.cache.tiered_store import TieredStore
from gateway.client_table import ClientTable
from gateway.errors import BadSetting
from gateway.ops.logs import configure
from gateway.ops.statistics import Statistics
from gateway.settings import parse_settings
from gateway.wiring.app import RequestLog
from gateway.wiring.content import ContentRoom, Sources
from tests.fakes.clock import FakeClock
from tests.fakes.names import TableNames
from tests.fakes.source import DictRetriever


async def build(tmp_path: Path, **sections: object) -> ContentRoom:
    settings = parse_settings({"cache": {"directory": str(tmp_path / "cache")}, **sections})
    clock, statistics = FakeClock(), Statistics()
    store = await TieredStore.open(settings.cache, clock, statistics, None)
    try:
        sources = Sources(store, DictRetriever({}, {}), TableNames({}), None)
        requests = RequestLog(statistics, configure(settings.log))
        return ContentRoom(settings, sources, clock, ClientTable.private(slots=64), requests)
    finally:
        await store.close()


@pytest.mark.parametrize(("redis", "is_shared"), [("", False), ("redis://127.0.0.1:1/0", True)])
async def test_counts_are_shared_through_redis_alone(
    tmp_path: Path, redis: str, *, is_shared: bool
) -> None:
    room = await build(tmp_path, shared={"redis": redis})
    assert (room.counts is not None) is is_shared
    await room.close()


async def test_a_database_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match=r"geoip\.database"):
        await build(tmp_path, geoip={"database": str(tmp_path / "absent.mmdb")})
