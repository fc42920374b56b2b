"""What the writer thread is told to do."""

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

from gateway.cache.disk.index import Index


class Store(NamedTuple):
    """Write a verified block."""

    key: bytes
    """Its multihash."""
    data: bytes


class Forget(NamedTuple):
    """Drop the entry of a block whose bytes were damaged or are gone."""

    key: bytes


class Tag(NamedTuple):
    """Write the tag of a block that was hashed against its CID again."""

    key: bytes
    tag: bytes


class IndexLost(NamedTuple):
    """Replace this index: a reader found it damaged."""

    path: Path


class Job(NamedTuple):
    """Do something with the index that is asked for rarely: purge, pin, look at every block."""

    run: Callable[[Index], Any]
    """May be run again when the index turns out to be damaged or replaced."""
    result: Future[Any]
    """Gets what `run` returned or raised."""


class Flush(NamedTuple):
    """Do everything that was ordered before this, now."""


class Stop(NamedTuple):
    """Do what was ordered, then end."""


Order = Store | Forget | Tag | IndexLost | Job | Flush | Stop
