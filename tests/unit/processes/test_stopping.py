"""The first signal asks, the second insists."""

import asyncio
import os
import signal

import pytest

from gateway.processes.stopping import MILD_SIGNALS, Stop, first_of, run_until_stopped


def test_the_first_signal_is_a_request() -> None:
    async def main(stop: Stop) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await stop.requested.wait()

        assert not stop.is_insisted

    run_until_stopped(main)


def test_the_second_signal_ends_at_once_with_cleanup() -> None:
    ended: list[str] = []

    async def main(stop: Stop) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await stop.requested.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("cleaned up")

    run_until_stopped(main)

    assert ended == ["cleaned up"]


def test_asking_a_third_time_changes_nothing() -> None:
    async def main(stop: Stop) -> None:
        for _ in range(3):
            stop.ask()
        await asyncio.Event().wait()

    run_until_stopped(main)


def test_a_patient_process_takes_the_second_signal_for_the_first() -> None:
    async def main(stop: Stop) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), number)
            await stop.requested.wait()

        assert not stop.is_insisted

    run_until_stopped(main, is_patient=True)


@pytest.mark.parametrize("number", MILD_SIGNALS, ids=lambda number: number.name)
def test_other_signals_only_ask(number: signal.Signals) -> None:
    """Issue 12, 25: systemd's SendSIGHUP sends two, and the second one must not insist."""

    async def main(stop: Stop) -> None:
        for each in (number, signal.SIGTERM, number):
            os.kill(os.getpid(), each)
            await stop.requested.wait()
            await asyncio.sleep(0)

        assert not stop.is_insisted

    run_until_stopped(main)


def test_what_was_ignored_at_the_start_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)

    async def main(_: Stop) -> None:
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN

    try:
        run_until_stopped(main)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_cancellation_of_its_own_is_not_swallowed() -> None:
    async def main(_: Stop) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError, match=r"^$"):
        run_until_stopped(main)


async def test_first_of_cancels_the_others() -> None:
    cancelled = asyncio.Event()

    async def wait_for_ever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    await first_of(wait_for_ever(), asyncio.sleep(0))

    await cancelled.wait()


async def test_first_of_raises_what_the_first_raised() -> None:
    async def fail() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await first_of(fail(), asyncio.Event().wait())
