"""Any DAG, however its nodes lie, is read as long as it says, or is a BadBlock; nothing else.

The input is a program: it builds nodes one after the other out of earlier ones, with sizes that
may be wrong, and reads a range of the last.
"""

import hashlib
from collections.abc import Iterator

from gateway.content.block import Block, verify
from gateway.content.car_walk import walk_car
from gateway.content.cid import DAG_PB, RAW, sha256_cid
from gateway.content.dag_pb import PBLink, PBNode, encode_node
from gateway.content.read import read_file
from gateway.content.unixfs import FileEntity, open_entity
from gateway.content.unixfs_message import UnixFs, UnixFsType, encode_unixfs
from gateway.content.walk import Scope, run, run_stream
from gateway.errors import BadBlock

MAX_READ_BYTES = 4096  # a few bytes of program can make a file of petabytes

Made = tuple[Block, int]
"""A block and the size that an honest parent would tell of it."""


def make(codec: int, data: bytes, size: int) -> Made:
    """Make a block."""
    return verify(sha256_cid(codec, hashlib.sha256(data).digest()), data), size


def build(program: Iterator[int]) -> list[Made]:
    """Build nodes until the program ends: type, inline bytes, children and what is said of them."""
    made = [make(RAW, leaf, len(leaf)) for leaf in (b"", b"a", b"bcd")]
    for head in program:
        type_ = UnixFsType(head % 6)
        inline = bytes(head >> 6)
        links: list[PBLink] = []
        sizes: list[int] = []
        for _ in range(head >> 3 & 7):
            child, size = made[-1 - next(program, 0) % len(made)]
            lie = next(program, 0)
            links.append(PBLink(child.cid.encode(), "x" if lie == 255 else "", None))
            sizes.append(size if lie < 128 else lie - 128)
        total = len(inline) + sum(sizes)
        message = UnixFs(type_, inline, total, tuple(sizes))
        made.append(make(DAG_PB, encode_node(PBNode(tuple(links), encode_unixfs(message))), total))
    return made


def check(data: bytes) -> None:
    """Run `data`: two bytes of range, then the program."""
    start, length = (*data[:2], 0, 0)[:2]
    made = build(iter(data[2:]))
    blocks = {block.cid.multihash: block for block, _ in made}
    root = made[-1][0]
    try:
        run(walk_car(root.cid, (), Scope.ALL, is_unique=True), blocks)
        run(walk_car(root.cid, (), Scope.ENTITY, start, is_unique=True), blocks)
        file = open_entity(root)
        if not isinstance(file, FileEntity):
            return
        stop = min(start + length * 16, start + MAX_READ_BYTES)
        read = sum(len(piece) for piece in run_stream(read_file(file, start, stop), blocks))
    except BadBlock:
        return
    assert read == max(0, min(stop, file.size) - start)


if __name__ == "__main__":
    from harness import fuzz  # type: ignore[import-not-found]

    fuzz(check)
