"""SIGTERM and SIGINT: the first one asks, the second one insists.

Other signals whose default is the end of the process only ask: systemd's SendSIGHUP and a terminal
that closes send SIGHUP beside SIGTERM, and whoever expects a reload wants no answer cut.
"""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Final

import uvloop

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
MILD_SIGNALS: Final = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)

_log = logging.getLogger("gateway.stopping")


class Stop:
    """Whether the process shall stop."""

    def __init__(self) -> None:
        self.requested = asyncio.Event()
        self.is_insisted = False
        self._is_asked = False
        self._main = asyncio.current_task()

    def ask(self) -> None:
        """Ask for a graceful end; ask again for an end at once, by cancelling the main task."""
        if not self._is_asked:
            self._is_asked = True
            self.requested.set()
        elif not self.is_insisted and self._main is not None:
            self.is_insisted = True
            self._main.cancel()

    def ask_mildly(self) -> None:
        """Ask for a graceful end; asking again changes nothing."""
        self.requested.set()


Main = Callable[[Stop], Awaitable[None]]


def run_until_stopped(main: Main, *, is_patient: bool = False) -> None:
    """Run `main` on an event loop of its own; signals ask it to stop.

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
        loop.add_signal_handler(number, stop.ask_mildly if is_patient else on_signal)
    for number in MILD_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup(1) has SIGHUP ignored
            loop.add_signal_handler(number, partial(_on_mild_signal, stop, number))
    try:
        await main(stop)
    except asyncio.CancelledError:
        if not stop.is_insisted:
            raise


def _on_mild_signal(stop: Stop, number: signal.Signals) -> None:
    _log.warning("%s: nothing is read anew yet; ending as after SIGTERM", number.name)
    stop.ask_mildly()


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
