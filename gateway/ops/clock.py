"""The real clock: the one place in the project that reads it."""

import time
from typing import Final


class SystemClock:
    """Implements `gateway.ports.Clock`."""

    __slots__ = ()

    now: Final = staticmethod(time.time)
    monotonic: Final = staticmethod(time.monotonic)
