"""Names of a real Kubo and records in a real Redis."""

import asyncio
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.rig.harness import (
    free_port,
    ipfs,
    make_kubo_repository,
    program,
    running_kubo,
    stop,
)
from gateway.content.names import parse_key
from gateway.content.path import MutablePath
from gateway.errors import Unavailable
from gateway.naming.shared import SharedRecords
from gateway.ops.clock import SystemClock
from gateway.settings import Settings, SharedSettings, UpstreamSettings
from gateway.upstream.balancing.pool import UpstreamPool
from gateway.wiring.names import NamesRoom
from tests.fakes.ipns_forge import owner
from tests.fakes.observer import RecordingObserver
from tests.integration.conftest import peers_or_skip

UNKNOWN = "k51qzi5uqu5dv5th0nn5gfk0exzirlafyhkxumawefnvwaa5gaopiw7gubuhvr"
REDIS_HINT = "apt install redis-server"


class Names:
    """Names of a running Kubo."""

    def __init__(self, url: str, cid: str, keys: dict[str, str]) -> None:
        self.url = url
        self.cid = cid
        self.keys = keys

    def open_room(self) -> NamesRoom:
        clock = SystemClock()
        kubo = UpstreamSettings(name="kubo", url=self.url, tier="cluster")
        return NamesRoom(Settings(), UpstreamPool([kubo], clock, RecordingObserver()), clock)


@pytest.fixture(name="names", scope="module")
def names_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Names]:
    folder = tmp_path_factory.mktemp("names")
    (folder / "file").write_text("hello\n")
    with peers_or_skip():
        make_kubo_repository(folder)
        keys = {
            kind: ipfs("key", "gen", f"--type={kind}", kind, folder=folder)
            for kind in ("rsa", "ed25519")
        }
        with running_kubo(folder) as server:
            cid = ipfs("add", "-Q", "--cid-version=1", folder / "file", folder=folder)
            for kind in keys:
                options = ("--allow-offline", f"--key={kind}", "--ttl=30m", "--lifetime=24h")
                ipfs("name", "publish", *options, f"/ipfs/{cid}", folder=folder)
            yield Names(server.url, cid, keys)


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
async def test_a_name_that_kubo_published_is_followed(names: Names, kind: str) -> None:
    room = names.open_room()
    key = parse_key(names.keys[kind])
    found = await room.resolver.resolve(MutablePath(key, ("a",)))
    record = await room.resolver.get_record(key)
    await room.close()
    assert str(found.path) == f"/ipfs/{names.cid}/a"
    assert found.ttl_s == pytest.approx(1800, abs=30)
    assert record.max_age_s == 1800


async def test_a_name_that_kubo_does_not_know_is_an_error(names: Names) -> None:
    """Kubo says 500, as it does when its search breaks off."""
    room = names.open_room()
    with pytest.raises(Unavailable, match=r"kubo \(record\): answered with status 500"):
        await room.resolver.resolve(MutablePath(parse_key(UNKNOWN)))
    await room.close()


@contextmanager
def running_redis(port: int, folder: Path) -> Iterator[str]:
    options = ("--save", "", "--appendonly", "no", "--dir", str(folder))
    command = [str(program("redis-server", REDIS_HINT)), "--port", str(port), "--bind", "127.0.0.1"]
    process = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL)  # noqa: S603 (a peer)
    try:
        _wait_for(port)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        stop(process)


def _wait_for(port: int) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("redis-server does not listen")


async def test_a_real_redis_keeps_records_and_its_loss_is_not_felt(tmp_path: Path) -> None:
    who, port = owner(), free_port()
    with peers_or_skip(), running_redis(port, tmp_path) as url:
        one, other = (
            SharedRecords(SharedSettings(redis=url, timeout=2.0), SystemClock()) for _ in range(2)
        )
        assert await one.find(who.name) is None
        await one.keep(who.record(sequence=4))
        found = await other.find(who.name)
        many = [owner(number=number) for number in range(50)]
        await asyncio.gather(*[one.keep(each.record()) for each in many])
        back = await asyncio.gather(*[other.find(each.name) for each in many])
    started = time.perf_counter()
    gone = [await other.find(who.name) for _ in range(100)]
    took_s = time.perf_counter() - started
    await one.close()
    await other.close()
    assert found is not None
    assert (found.record.sequence, found.age_s < 60) == (4, True)
    assert [f.record.name for f in back if f is not None] == [each.name for each in many]
    assert (gone, took_s < 2) == ([None] * 100, True)


async def test_a_redis_that_comes_back_is_used_again(tmp_path: Path) -> None:
    who, port = owner(), free_port()
    shared = SharedRecords(
        SharedSettings(redis=f"redis://127.0.0.1:{port}/0", timeout=2.0), SystemClock()
    )
    assert await shared.find(who.name) is None
    with peers_or_skip(), running_redis(port, tmp_path):
        await shared.keep(who.record())
        assert await shared.find(who.name) is not None
    await shared.close()
