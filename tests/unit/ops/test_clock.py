from gateway.ops.clock import SystemClock
from gateway.ports import Clock


def test_time_goes_on() -> None:
    clock: Clock = SystemClock()
    assert clock.now() > 1_700_000_000
    first = clock.monotonic()
    assert clock.monotonic() >= first
