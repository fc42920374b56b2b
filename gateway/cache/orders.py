"""What the writer thread is told to do."""

from pathlib import Path
from typing import NamedTuple


class Store(NamedTuple):
    """Write a verified block."""

    key: bytes
    """Its multihash."""
    data: bytes


class Forget(NamedTuple):
    """Drop the entry of a block whose bytes were damaged or are gone."""

    key: bytes


class IndexLost(NamedTuple):
    """Replace this index: a reader found it damaged."""

    path: Path


class Flush(NamedTuple):
    """Do everything that was ordered before this, now."""


class Stop(NamedTuple):
    """Do what was ordered, then end."""


Order = Store | Forget | IndexLost | Flush | Stop
