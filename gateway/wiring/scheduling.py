"""How the kernel gives workers their turns."""

import os
from contextlib import suppress


def be_patient() -> None:
    """Wait for a turn instead of taking it from who runs on a core, sched(7), SCHED_BATCH.

    Call it before threads start: they do as their maker does. It does nothing elsewhere than on
    Linux.

    Workers that share cores with each other, with nginx or with clients preempt them with each
    request that comes in, and find that one request. With patience several wait by then, and a
    turn of the event loop costs the same. Measured with two workers and the load on two cores
    (benchmarks/hits.py, 10 KiB): 0.02 switches a request, not 0.15, and a tenth less CPU; a quarter
    less with busy processes beside them. A core that has nothing to do still takes a worker at
    once: a few connections are answered as quickly, and at full load p99 was 6 to 7 ms, not 5.
    """
    with suppress(AttributeError, OSError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
