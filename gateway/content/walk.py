"""Walks over DAGs that ask for blocks instead of fetching them.

A walk is a generator: it yields a `Want`, is sent the `Block` with that CID, and goes on. The same
walk runs from the cache, a CAR stream, a dict in a test or a fuzzer. A `Want` also says where the
walk stands, so that whoever fetches can ask an upstream for the rest in one request.

The walks themselves: `resolve` (paths), `read` (file bytes), `listing` (directories), `car_walk`
(the blocks of a CAR response).
"""

from collections.abc import Generator, Iterator, Mapping
from enum import StrEnum
from typing import Generic, NamedTuple, TypeVar

from gateway.content.block import Block, identity_block, rename
from gateway.content.cid import Cid

T = TypeVar("T")


class Scope(StrEnum):
    """How much of the DAG below a path is meant: the `dag-scope` of the trustless gateway."""

    BLOCK = "block"
    ENTITY = "entity"
    ALL = "all"


class Want(NamedTuple):
    """One block that a walk needs now, and what it will need after it.

    `(root or cid)/segments` with `scope`, `start` and `stop` is a CAR request whose answer holds
    `cid` and all that the walk wants after it.
    """

    cid: Cid
    segments: tuple[str, ...] = ()
    """Path below `root or cid` that is still to be resolved."""
    scope: Scope = Scope.BLOCK
    """What is wanted of the thing at the end of `segments`."""
    start: int = 0
    """First byte wanted of the file at the end of `segments` (scope ENTITY); absolute in the
    file that `root` names. Negative counts from the end, as in a Python slice."""
    stop: int | None = None
    """One past the last byte wanted; None means to the end. Negative as in a Python slice."""
    root: Cid | None = None
    """What `segments`, `start` and `stop` count from, when `cid` is a node inside of it: the root
    of the file, or of the HAMT directory."""
    siblings: tuple[Cid, ...] = ()
    """The parent's child CIDs in order, when they will be wanted in order."""
    index: int = 0  # type: ignore[assignment]  # hides tuple.index
    """Where `cid` stands in `siblings`."""


Walk = Generator[Want, Block, T]
"""Yields the `Want` of the block it needs next, is sent that block, returns a `T`."""

Stream = Generator[Want | T, Block | None, None]
"""Yields a `Want` and is sent the block, or yields a `T` and is sent None."""


class Ended(NamedTuple, Generic[T]):
    """A walk is over."""

    value: T
    """What it returned."""


def advance(walk: Walk[T], block: Block | None) -> Want | Ended[T]:
    """Take a walk one step on, for whoever cannot let a StopIteration through.

    Args:
        walk: one that is not running.
        block: what it wants; None to start it.
    """
    try:
        return next(walk) if block is None else walk.send(block)
    except StopIteration as stop:
        return Ended(stop.value)


def advance_stream(stream: Stream[T], block: Block | None) -> Want | T | Ended[None]:
    """Take a stream one step on; see `advance`.

    Args:
        stream: one that is not running.
        block: what it wants; None to start it, or after a value.
    """
    try:
        return stream.send(block)
    except StopIteration:
        return Ended(None)


def ask(want: Want) -> Walk[Block]:
    """Ask for one block, or open it when the CID itself holds it.

    Raises:
        ValueError: the driver sent another block.
    """
    if want.cid.is_identity:
        return identity_block(want.cid)
    return rename((yield want), want.cid)


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


def run_stream(stream: Stream[T], blocks: Mapping[bytes, Block]) -> Iterator[T]:
    """Drive a stream from blocks in memory, by multihash, and yield what it makes.

    Raises:
        KeyError: a block is not there.
    """
    try:
        item = next(stream)
        while True:
            if isinstance(item, Want):
                item = stream.send(blocks[item.cid.multihash])
            else:
                yield item
                item = stream.send(None)
    except StopIteration:
        return
