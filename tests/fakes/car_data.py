"""CAR files of `tests/data`, as blocks in memory."""

from pathlib import Path
from typing import NamedTuple

from gateway.content.block import Block, verify
from gateway.content.car import CarParser
from gateway.content.cid import Cid

DATA = Path(__file__).parents[1] / "data"


class CarData(NamedTuple):
    """What a CAR holds."""

    roots: tuple[Cid, ...]
    blocks: dict[bytes, Block]
    """By multihash, all verified, in the order of the file."""

    @property
    def root(self) -> Cid:
        return self.roots[0]


def read_car(name: str) -> CarData:
    """Read and verify a CAR; `name` is its path below `tests/data`."""
    parser = CarParser()
    sections = parser.feed((DATA / name).read_bytes())
    parser.finish()
    assert parser.roots is not None
    return CarData(parser.roots, {cid.multihash: verify(cid, data) for cid, data in sections})
