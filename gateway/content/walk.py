"""Walks over DAGs that ask for blocks instead of fetching them.

A walk is a generator: it yields a `Want`, is sent the `Block` with that CID, and continues. The
same walk runs from the cache, a CAR stream, a dict in a test or a fuzzer. A `Want` also describes
the position of the walk, so that a fetcher can request the rest from an upstream at once.

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
    """The part of the DAG below a path: the `dag-scope` of the trustless gateway."""

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
    """Segments below `root or cid` that are still to be resolved."""
    scope: Scope = Scope.BLOCK
    """Part of the DAG wanted at the end of `segments`."""
    start: int = 0
    """First byte wanted of the file at the end of `segments` (scope ENTITY); absolute in the
    file that `root` names. Negative counts from the end, as in a Python slice."""
    stop: int | None = None
    """One past the last byte wanted; None means to the end. Negative as in a Python slice."""
    root: Cid | None = None
    """Root of the file or HAMT directory from which `segments`, `start` and `stop` count, when
    `cid` is a node inside of it."""
    siblings: tuple[Cid, ...] = ()
    """CIDs of the parent's children, when the walk will want them in order."""
    index: int = 0  # type: ignore[assignment]  # hides tuple.index
    """Index of `cid` in `siblings`."""


Walk = Generator[Want, Block, T]
"""Yields the `Want` of the block it needs next, is sent that block, returns a `T`."""

Stream = Generator[Want | T, Block | None, None]
"""Yields a `Want` and is sent the block, or yields a `T` and is sent None."""


class Ended(NamedTuple, Generic[T]):
    """The end of a walk."""

    value: T
    """The value that the walk returned."""


def advance(walk: Walk[T], block: Block | None) -> Want | Ended[T]:
    """Run a walk up to its next want or its end, without a StopIteration.

    Args:
        walk: a walk that is not running.
        block: the block that it wants; None to start it.
    """
    try:
        return next(walk) if block is None else walk.send(block)
    except StopIteration as stop:
        return Ended(stop.value)


def advance_stream(stream: Stream[T], block: Block | None) -> Want | T | Ended[None]:
    """Run a stream up to its next want, its next value or its end; see `advance`.

    Args:
        stream: a stream that is not running.
        block: the block that it wants; None to start it, or after a value.
    """
    try:
        return stream.send(block)
    except StopIteration:
        return Ended(None)


def ask(want: Want) -> Walk[Block]:
    """Return one block: the walk wants it, unless an identity CID contains it.

    Raises:
        ValueError: the driver sent another block.
    """
    if want.cid.is_identity:
        return identity_block(want.cid)
    return rename((yield want), want.cid)


def run(walk: Walk[T], blocks: Mapping[bytes, Block]) -> T:
    """Run a walk on blocks in memory, by multihash, and return its value.

    Raises:
        KeyError: a block is missing.
    """
    try:
        want = next(walk)
        while True:
            want = walk.send(blocks[want.cid.multihash])
    except StopIteration as stop:
        value: T = stop.value
        return value


def run_stream(stream: Stream[T], blocks: Mapping[bytes, Block]) -> Iterator[T]:
    """Run a stream on blocks in memory, by multihash, and yield its values.

    Raises:
        KeyError: a block is missing.
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
