"""A cache directory, and stores on it that are closed at the end."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gateway.cache.disk.files import BlockFiles
from gateway.cache.disk.index import Index
from gateway.cache.tiered_store import TieredStore
from gateway.settings import CacheSettings
from tests.fakes.clock import FakeClock
from tests.fakes.observer import RecordingObserver

MIB = 1024 * 1024

OpenStore = Callable[..., Awaitable[TieredStore]]


@pytest.fixture(name="clock")
def clock_fixture() -> FakeClock:
    return FakeClock()


@pytest.fixture(name="observer")
def observer_fixture() -> RecordingObserver:
    return RecordingObserver()


@pytest.fixture(name="directory")
def directory_fixture(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture(name="open_store")
async def open_store_fixture(
    directory: Path, clock: FakeClock, observer: RecordingObserver
) -> AsyncIterator[OpenStore]:
    """Opens stores on the directory; without memory, so that each find reads the disk."""
    async with AsyncExitStack() as stack:

        async def open_store(*, disk_size: int = 64 * MIB, memory_size: int = 0) -> TieredStore:
            settings = CacheSettings(
                directory=str(directory), disk_size=disk_size, memory_size=memory_size
            )
            store = await TieredStore.open(settings, clock, observer)
            stack.push_async_callback(store.close)
            return store

        yield open_store


@pytest.fixture(name="index")
def index_fixture(tmp_path: Path) -> Iterator[Index]:
    Index.create(tmp_path / "index-1.sqlite")
    index = Index(tmp_path / "index-1.sqlite", 0)
    yield index
    index.close()


@pytest.fixture(name="files")
def files_fixture(tmp_path: Path) -> BlockFiles:
    files = BlockFiles(tmp_path)
    files.prepare()
    return files
