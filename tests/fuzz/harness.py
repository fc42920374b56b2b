"""Runs a harness's `check` under atheris: coverage-guided, with libFuzzer's own options.

A harness is a file `fuzz_<name>.py` whose docstring states its invariant and whose
`check(data: bytes)` raises when the invariant does not hold. Seeds are in `corpus/<name>/`;
`tests/unit/content/test_fuzz_corpus.py` replays them all without atheris. To look for more:

    python tests/fuzz/fuzz_cid.py -max_total_time=20 /tmp/found tests/fuzz/corpus/cid

libFuzzer writes what it finds into the first folder; what is worth keeping gets a name that says
why and moves to the corpus.
"""

import gc
import sys
from collections.abc import Callable
from types import FunctionType


def fuzz(check: Callable[[bytes], None]) -> None:
    """Run `check` on made-up data until it raises, or as long as the command line says."""
    import atheris  # noqa: PLC0415 (an optional dependency; replaying the corpus needs none)

    for thing in gc.get_objects():
        if isinstance(thing, FunctionType) and str(thing.__module__).startswith("gateway."):
            atheris.instrument_func(thing)
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
