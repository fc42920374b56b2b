"""Python's collector of cycles, which stops everything while it looks at all objects."""

import gc


def spare_collector() -> None:
    """Have the collector never look again at what a gateway is made of.

    Call it once everything is open. Some 200,000 objects are there then, for as long as the process
    lives; looking at them takes 30 ms each time, and happens whenever a large directory is decoded
    (benchmarks/stalls.py).
    """
    gc.collect()
    gc.freeze()
