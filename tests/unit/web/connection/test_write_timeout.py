"""Readers that take nothing are cut, slow ones are not, and those who read cost no timer."""

import asyncio
from collections.abc import Callable

import pytest

from gateway.web.connection.write_timeout import STALLED_S, Backlog
from tests.unit.web.conftest import Wire


class Timers:
    """Timers of a loop that tests let end."""

    def __init__(self) -> None:
        self.set = 0
        self.handles: list[asyncio.TimerHandle] = []
        self._callbacks: list[Callable[[], None]] = []

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        assert delay_s == STALLED_S
        self._callbacks.append(callback)
        self.handles.append(asyncio.get_running_loop().call_later(3600, callback))
        self.set += 1
        return self.handles[-1]

    def end(self) -> None:
        """Let the one that runs end."""
        self.handles.pop().cancel()
        self._callbacks.pop()()

    @property
    def running(self) -> int:
        return len(self._callbacks)


class Held:
    """A backlog, and what the transport holds."""

    def __init__(self) -> None:
        self.timers, self.wire = Timers(), Wire()
        self.backlog = Backlog(self.wire, self.timers.call_later)

    def after(self, *sizes: int) -> None:
        """Let time pass, at the end of each piece of which so much is held."""
        for size in sizes:
            self.wire.unsent_bytes = size
            self.timers.end()

    @property
    def is_cut(self) -> bool:
        return self.wire.was_aborted.is_set()


@pytest.fixture(name="held")
async def held_fixture() -> Held:
    held = Held()
    held.wire.unsent_bytes = 100_000
    return held


@pytest.mark.parametrize(
    ("sizes", "is_cut"),
    [
        pytest.param([100_000], True, id="nothing-taken"),
        pytest.param([60_000, 60_000], True, id="something-and-then-nothing"),
        pytest.param([99_999, 99_998, 99_997], False, id="slow"),
        pytest.param([0], False, id="all-taken"),
    ],
)
async def test_a_reader_is_cut_when_it_takes_nothing(
    held: Held,
    sizes: list[int],
    is_cut: bool,  # noqa: FBT001 (a table)
) -> None:
    held.backlog.watch()
    held.after(*sizes)
    assert held.is_cut is is_cut


async def test_a_reader_that_stops_again_and_again_is_not_cut(held: Held) -> None:
    for _ in range(3):
        held.backlog.watch()
        held.backlog.unwatch()
        held.backlog.watch()
        held.after(100_000)
    assert not held.is_cut
    held.after(100_000)
    assert held.is_cut


async def test_the_stops_of_one_body_share_a_timer(held: Held) -> None:
    for _ in range(100):
        held.backlog.watch()
        held.backlog.unwatch()
    assert held.timers.set == 1
    held.after(100_000)
    assert (held.is_cut, held.timers.running) == (False, 0)


async def test_a_connection_that_is_gone_has_no_timer(held: Held) -> None:
    held.backlog.watch()
    held.backlog.stop()
    assert held.timers.handles[0].cancelled()
