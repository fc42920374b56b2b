"""Python's cyclic garbage collector, which stops all threads while it scans all objects."""

import gc


def spare_collector() -> None:
    """Exclude all objects that exist now from garbage collection.

    Call it once everything is open. Some 200,000 objects then live as long as the process; each
    scan of them takes 30 ms, and decoding any large directory causes one (benchmarks/stalls.py).
    """
    gc.collect()
    gc.freeze()
