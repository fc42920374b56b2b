"""Walks over DAGs that ask for blocks instead of fetching them.

A walk is a generator: it yields a `Want`, is sent the `Block` with that CID, and goes on. The same
walk runs from the cache, a CAR stream, a dict in a test or a fuzzer. A `Want` also says where the
walk stands, so that whoever fetches can ask an upstream for the rest in one request.
"""

from collections.abc import Generator, Mapping
from enum import StrEnum
from typing import NamedTuple, TypeVar

from gateway.content.block import Block
from gateway.content.cid import Cid

T = TypeVar("T")


class Scope(StrEnum):
    """How much of the DAG below a path is meant: the `dag-scope` of the trustless gateway."""

    BLOCK = "block"
    ENTITY = "entity"
    ALL = "all"


class Want(NamedTuple):
    """One block that a walk needs now, and what it will need after it."""

    cid: Cid
    segments: tuple[str, ...] = ()
    """Path below `cid` that is still to be resolved."""
    scope: Scope = Scope.BLOCK
    """What is wanted of the thing at the end of `segments`."""
    start: int = 0
    """First byte wanted of the file at the end of `segments` (scope ENTITY); absolute in the
    file that `root` names."""
    stop: int | None = None
    """One past the last byte wanted; None means to the end."""
    root: Cid | None = None
    """File root that `start` and `stop` count from, when `cid` is a node below it."""
    siblings: tuple[Cid, ...] = ()
    """The parent's child CIDs in order, when they will be wanted in order."""
    index: int = 0
    """Where `cid` stands in `siblings`."""


Walk = Generator[Want, Block, T]
"""Yields the `Want` of the block it needs next, is sent that block, returns a `T`."""


def run(walk: Walk[T], blocks: Mapping[bytes, Block]) -> T:
    """Drive a walk from blocks in memory, by multihash.

    Raises:
        KeyError: a block is not there.
    """
    try:
        want = next(walk)
        while True:
            want = walk.send(blocks[want.cid.multihash])
    except StopIteration as stop:
        value: T = stop.value
        return value
