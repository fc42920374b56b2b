"""Signal handling: the first SIGTERM or SIGINT drains, the second ends at once.

Other signals that end a process by default only drain: systemd's SendSIGHUP and a closing terminal
send SIGHUP beside SIGTERM, and an operator who expects a reload wants no response cut.
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
    """State of the shutdown: nothing yet, requested (drain), or insisted on (end at once)."""

    def __init__(self) -> None:
        self.requested = asyncio.Event()
        self.is_insisted = False
        self._is_asked = False
        self._main = asyncio.current_task()

    def ask(self) -> None:
        """Request a graceful end; a second call cancels the main task, which ends at once."""
        if not self._is_asked:
            self._is_asked = True
            self.requested.set()
        elif not self.is_insisted and self._main is not None:
            self.is_insisted = True
            self._main.cancel()

    def ask_mildly(self) -> None:
        """Request a graceful end; further calls change nothing."""
        self.requested.set()


Main = Callable[[Stop], Awaitable[None]]


def run_until_stopped(main: Main, *, is_patient: bool = False) -> None:
    """Run `main` on a new event loop, with signal handlers that set its `Stop`.

    Returns when `main` returns, or after a second signal has cancelled it. A third signal has the
    system's default effect.

    Args:
        main: called with the `Stop` that signals set.
        is_patient: whether a second signal changes nothing; for processes that a parent ends, since
            systemd sends the first signal to every process, and the parent sends its own.
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
    _log.warning("%s: a reload is not supported; shutting down as on SIGTERM", number.name)
    stop.ask_mildly()


async def first_of(*waits: Coroutine[Any, Any, object]) -> None:
    """Wait until the first of several coroutines ends; cancel the others.

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
