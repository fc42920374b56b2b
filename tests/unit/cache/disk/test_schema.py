"""What a block is said to take is what it takes."""

import sqlite3
from pathlib import Path

import pytest

from gateway.cache.disk.index import Index
from gateway.cache.disk.schema import PAGE_BYTES, cost_of, expected_schema, schema_of, write_schema
from tests.fakes.blocks import numbered

COUNT = 400


@pytest.mark.parametrize("size", [0, 40, 300, 1024, 2100, 4090, 4200, 8100, 8200, 12_000, 16_383])
def test_small_blocks_cost_at_least_what_the_index_grows(tmp_path: Path, size: int) -> None:
    path = tmp_path / "index-1.sqlite"
    Index.create(path)
    empty = path.stat().st_size
    index = Index(path, 0)
    keys = sorted(numbered(n, 8).cid.multihash for n in range(COUNT))
    with index.transaction():
        for number, key in enumerate(keys):
            index.add(key, size, number, bytes(size))
    index.close()
    grown = path.stat().st_size - empty
    assert grown <= COUNT * cost_of(size) + 8 * PAGE_BYTES
    assert COUNT * cost_of(size) <= 1.1 * grown + COUNT * 300


@pytest.mark.parametrize(
    ("size", "blocks"),
    [
        pytest.param(16_384, 4, id="smallest-file"),
        pytest.param(16_385, 5, id="one-more-byte"),
        pytest.param(262_144, 64, id="usual-leaf"),
    ],
)
def test_files_cost_whole_file_system_blocks(size: int, blocks: int) -> None:
    assert blocks * 4096 < cost_of(size) <= blocks * 4096 + 512


def test_the_schema_of_an_index_is_as_expected() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    write_schema(connection)
    assert schema_of(connection) == expected_schema()
    connection.execute("DROP TRIGGER entry_added")
    assert schema_of(connection) != expected_schema()
    connection.close()
