"""SIGTERM and SIGINT: the first one asks, the second one insists."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import uvloop

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stop:
    """Whether the process shall stop."""

    def __init__(self) -> None:
        self.requested = asyncio.Event()
        self.is_insisted = False
        self._main = asyncio.current_task()

    def ask(self) -> None:
        """Ask for a graceful end; ask again for an end at once, by cancelling the main task."""
        if not self.requested.is_set():
            self.requested.set()
        elif not self.is_insisted and self._main is not None:
            self.is_insisted = True
            self._main.cancel()


Main = Callable[[Stop], Awaitable[None]]


def run_until_stopped(main: Main, *, is_patient: bool = False) -> None:
    """Run `main` on an event loop of its own; SIGTERM and SIGINT ask it to stop.

    Returns when `main` returns, or when it was cancelled by a second signal. A third signal has
    the system's default effect.

    Args:
        main: told of the signals.
        is_patient: a second signal changes nothing. For processes that a parent ends: systemd
            sends the first signal to every process, and the parent sends its own.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_guard(main, is_patient=is_patient))


async def _guard(main: Main, *, is_patient: bool) -> None:
    stop = Stop()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        stop.ask()
        if stop.is_insisted:
            for number in STOP_SIGNALS:
                loop.remove_signal_handler(number)

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop.requested.set if is_patient else on_signal)
    try:
        await main(stop)
    except asyncio.CancelledError:
        if not stop.is_insisted:
            raise


async def first_of(*waits: Coroutine[Any, Any, object]) -> None:
    """Wait until one of several things has happened; the others are cancelled.

    Raises:
        Exception: what the first one raised.
    """
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    for task in done:
        task.result()
