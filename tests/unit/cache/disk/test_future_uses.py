"""A clock that was ahead (issue 12, 28)."""

from collections.abc import Awaitable, Callable

import pytest

from gateway.cache.disk import future_uses as future
from gateway.cache.disk.future_uses import SLACK_MS, bring_back
from gateway.cache.disk.index import Index
from gateway.cache.disk.schema import PINNED_MS
from gateway.cache.tiered_store import TieredStore
from tests.fakes.blocks import numbered
from tests.fakes.clock import FakeClock

MIB = 1024 * 1024
YEAR_S = 365 * 86_400.0
NOW_MS = 1_700_000_000_000

OpenStore = Callable[..., Awaitable[TieredStore]]


def enter(index: Index, uses: dict[bytes, int]) -> None:
    with index.transaction():
        for key, used_ms in uses.items():
            index.add(key, 100, used_ms, b"x" * 100)


def uses_of(index: Index) -> dict[bytes, int]:
    return dict(index.execute("SELECT key, used FROM entries"))


def test_only_what_lies_in_the_future_is_dated_anew(index: Index) -> None:
    uses = {b"old": 5, b"now": NOW_MS, b"slack": NOW_MS + SLACK_MS, b"pinned": PINNED_MS}
    enter(index, {**uses, b"late": NOW_MS + SLACK_MS + 1})
    assert not bring_back(index, NOW_MS)
    assert uses_of(index) == {**uses, b"late": NOW_MS}


def test_many_keep_their_order_from_step_to_step(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(future, "STEP_ENTRIES", 2)
    enter(index, {bytes([n]): 2 * NOW_MS + n for n in (3, 1, 2)})
    assert bring_back(index, NOW_MS)
    assert not bring_back(index, NOW_MS + 1)
    assert uses_of(index) == {b"\1": NOW_MS, b"\2": NOW_MS, b"\3": NOW_MS + 1}


async def test_new_blocks_are_hits_after_the_clock_was_set_right(
    open_store: OpenStore, clock: FakeClock
) -> None:
    """What came in the wrong year never went, and each new block was evicted for the next one."""
    clock.jump(YEAR_S)
    store = await open_store(disk_size=4 * MIB)
    for n in range(40):  # twice as much as fits
        await store.keep(numbered(n, 200_000))
    await store.flush()
    clock.jump(-YEAR_S)
    await store.flush()
    new = [numbered(100 + n, 200_000) for n in range(8)]
    for block in new:
        clock.advance(2)
        await store.keep(block)
        await store.flush()
        clock.advance(2)
        assert await store.find(block.cid) is not None  # used: it is warm from now on
        await store.flush()
    assert None not in [await store.find(block.cid) for block in new]
