"""Memory in one arena: seen from what the C library says of itself."""

import subprocess
import sys

SCRIPT = """
import ctypes, sys, threading
from gateway.wiring.allocator import use_one_arena
if sys.argv[1] == "one":
    use_one_arena()
held = []
threads = [threading.Thread(target=lambda: held.append(bytes(4096))) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
ctypes.CDLL(None).malloc_info(0, ctypes.c_void_p.in_dll(ctypes.CDLL(None), "stdout"))
ctypes.CDLL(None).fflush(None)
"""


def arenas(how: str) -> int:
    done = subprocess.run(  # noqa: S603 (this interpreter, a script of ours)
        [sys.executable, "-c", SCRIPT, how], capture_output=True, text=True, check=True
    )
    return done.stdout.count("<heap nr=")


def test_threads_share_one_arena() -> None:
    assert arenas("one") == 1
    assert arenas("as it is") > 1
