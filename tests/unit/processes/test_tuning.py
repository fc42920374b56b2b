"""The C library's memory: seen from what it and the kernel say of it."""

import subprocess
import sys

ARENAS = """
import ctypes, sys, threading
from gateway.processes.tuning import set_up_allocator
if sys.argv[1] == "set up":
    set_up_allocator()
held = []
threads = [threading.Thread(target=lambda: held.append(bytes(4096))) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
ctypes.CDLL(None).malloc_info(0, ctypes.c_void_p.in_dll(ctypes.CDLL(None), "stdout"))
ctypes.CDLL(None).fflush(None)
"""
FAULTS = """
import resource, sys
from gateway.processes.tuning import set_up_allocator
if sys.argv[1] == "set up":
    set_up_allocator()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
before = faults()
for _ in range(100):
    blocks = [b"1" * 2**20, b"2" * 2**20, b"3" * 2**20]
    del blocks
print(faults() - before)
"""
PAGES_OF_BLOCKS = 3 * 2**20 // 4096


def run(script: str, how: str) -> str:
    done = subprocess.run(  # noqa: S603 (this interpreter, a script of ours)
        [sys.executable, "-c", script, how], capture_output=True, text=True, check=True
    )
    return done.stdout


def arenas(how: str) -> int:
    return run(ARENAS, how).count("<heap nr=")


def faults(how: str) -> int:
    return int(run(FAULTS, how))


def test_threads_share_one_arena() -> None:
    assert arenas("set up") == 1
    assert arenas("as it is") > 1


def test_blocks_that_pass_use_the_same_memory_again() -> None:
    assert faults("set up") < 3 * PAGES_OF_BLOCKS
    assert faults("as it is") > 20 * PAGES_OF_BLOCKS
