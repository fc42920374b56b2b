from collections import Counter

import pytest

from benchmarks.rig.profiles import layer_of, read_perf, read_stacks, stacks_tables

EDGE = "GatewayApp.__call__ (gateway/web/app.py)"


@pytest.mark.parametrize(
    ("frames", "layer"),
    [
        pytest.param((EDGE, "verify (gateway/content/block.py)"), "hash", id="innermost"),
        pytest.param((EDGE, "dumps (json/encoder.py)"), "app", id="library-counts-for-its-caller"),
        pytest.param((EDGE, "request (aiohttp/client.py)"), "aiohttp", id="library-of-its-own"),
        pytest.param(("Index._run (gateway/cache/disk/index.py)",), "index (SQLite)", id="index"),
        pytest.param(("get (gateway/cache/memory/tier.py)",), "memory tier", id="rest-of-a-room"),
        pytest.param(("run (asyncio/runners.py)",), "loop", id="loop"),
        pytest.param(("f (somewhere.py)",), "other", id="unknown"),
    ],
)
def test_a_look_counts_for_the_innermost_layer(frames: tuple[str, ...], layer: str) -> None:
    assert layer_of(frames) == layer


def test_stacks_are_added_up_without_lines_and_waits() -> None:
    text = (
        "main (a.py:1);work (b.py:2) 3\n"
        "main (a.py:1);work (b.py:9) 4\n"
        "_bootstrap (threading.py:1);Condition.wait (threading.py:327) 50\n"
        "_bootstrap (threading.py:1);ReaderPool._run (gateway/cache/disk/reader_pool.py:173) 50\n"
    )
    assert read_stacks(text) == {("main (a.py)", "work (b.py)"): 7}


def test_perf_is_added_up_by_library_with_the_garbage_collector_apart() -> None:
    text = (
        "20.00%;libpython3.11.so.1.0;[.] _PyEval_EvalFrameDefault\n"
        "5.00%;libpython3.11.so.1.0;[.] gc_collect_main\n"
        "1.00%;libpython3.11.so.1.0;[.] visit_decref\n"
        "4.00%;[kernel.kallsyms];[k] tcp_sendmsg\n"
        "2.50%;libpython3.11.so.1.0;[.] _Py_dict_lookup\n"
        "3.00%;libcrypto.so.3;[.] sha256_block_data_order\n"
        "0.50%;odd.so;[.] f\n"
    )
    assert list(read_perf(text).items()) == [
        ("Python", 22.5),
        ("garbage collector", 6.0),
        ("kernel", 4.0),
        ("hashing", 3.0),
        ("odd.so", 0.5),
    ]


def test_tables_have_the_largest_share_first() -> None:
    stacks = Counter({(EDGE,): 1, (EDGE, "verify (gateway/content/block.py)"): 3})
    layers, functions = stacks_tables("disk", stacks)
    assert layers.rows == [("hash", "75.0%"), ("app", "25.0%")]
    assert functions.rows[0] == ("verify (gateway/content/block.py)", "75.0%")
