"""A real store on a disk, and its keeper."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.cache.control import Control
from gateway.cache.tiered_store import TieredStore
from gateway.settings import CacheSettings
from tests.fakes.clock import FakeClock
from tests.fakes.observer import RecordingObserver

MIB = 1024 * 1024


@pytest.fixture(name="clock")
def clock_fixture() -> FakeClock:
    return FakeClock()


@pytest.fixture(name="store")
async def store_fixture(tmp_path: Path, clock: FakeClock) -> AsyncIterator[TieredStore]:
    settings = CacheSettings(directory=str(tmp_path), disk_size=64 * MIB, memory_size=MIB)
    store = await TieredStore.open(settings, clock, RecordingObserver())
    yield store
    await store.close()


@pytest.fixture(name="keeper")
async def keeper_fixture(store: TieredStore, clock: FakeClock) -> AsyncIterator[Control]:
    keeper = Control(store, clock)
    yield keeper
    keeper.close()
