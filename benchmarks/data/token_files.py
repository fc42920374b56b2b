"""Many files of one size in directories of a hundred, as collections of tokens have them.

A file is asked for by the CID of its directory and its name, the way most requests to public
gateways are. Every other name has no extension, so that its content type is told by its bytes.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Final

from benchmarks.data.content import random_bytes
from benchmarks.rig.sequence import Ask, Asks
from gateway.content.build import Build, build_file
from gateway.demo.pack import Folder, write_car

FOLDER_FILES: Final = 100
SITE_NAME: Final = "index.html"
EXPONENT: Final = 0.9
DRAWS: Final = 100_000
"""Requests of a Zipf order before it begins again."""


@dataclass(frozen=True, slots=True)
class Shelved:
    """One file that is served."""

    path: str
    cid: str
    name: str
    """What its content depends on, beside its size."""
    size: int

    def body(self) -> bytes:
        """Make its content anew."""
        return random_bytes(self.name, self.size)

    def ask(self) -> Ask:
        """Ask for all of it."""
        return Ask(self.path, self.size, self.body)

    def ask_again(self) -> Ask:
        """Ask whether it is still what it was."""
        return Ask(self.path, 0, bytes, 304, (("If-None-Match", f'"{self.cid}"'),))

    def ask_range(self, first: int, size: int) -> Ask:
        """Ask for a part of it."""
        fields = (("Range", f"bytes={first}-{first + size - 1}"),)
        return Ask(self.path, size, lambda: self.body()[first : first + size], 206, fields)


@dataclass(frozen=True, slots=True)
class Site:
    """A directory with an index.html."""

    cid: str
    page: bytes

    def ask(self) -> Ask:
        """Ask for the directory."""
        return Ask(f"/ipfs/{self.cid}/", len(self.page), lambda: self.page)

    def ask_subdomain(self) -> Ask:
        """Ask for it under a host of its own."""
        host = ("Host", f"{self.cid}.ipfs.localhost")
        return Ask("/", len(self.page), lambda: self.page, headers=(host,))


def shelve(car: Path, kind: str, sizes: Sequence[int]) -> list[Shelved]:
    """Pack files of these sizes; those of another kind are others."""
    shelved: list[Shelved] = []
    write_car(car, _build(kind, sizes, shelved), lambda _: None)
    return shelved


def _build(kind: str, sizes: Sequence[int], shelved: list[Shelved]) -> Build:
    top = Folder()
    for first in range(0, len(sizes), FOLDER_FILES):
        folder, few = Folder(), sizes[first : first + FOLDER_FILES]
        for number, size in enumerate(few, start=first):
            data = random_bytes(f"{kind}/{number}", size)
            folder.add((_name(number),), (yield from build_file(data)))
        built = yield from folder.build()
        top.add((f"{first}",), built)
        for number, size in enumerate(few, start=first):
            path = f"/ipfs/{built.cid}/{_name(number)}"
            cid = str(folder.entries[_name(number)].cid)
            shelved.append(Shelved(path, cid, f"{kind}/{number}", size))
    return (yield from top.build())


def _name(number: int) -> str:
    return f"{number}.png" if number % 2 else f"{number}"


def pack_site(car: Path, size: int) -> Site:
    """Pack a directory whose page has this size."""
    page = b"<!DOCTYPE html><title>site</title>".ljust(size, b".")
    folder = Folder()

    def build() -> Build:
        folder.add((SITE_NAME,), (yield from build_file(page)))
        return (yield from folder.build())

    return Site(str(write_car(car, build(), lambda _: None).cid), page)


def zipf(asks: Sequence[Ask], draws: int = DRAWS, exponent: float = EXPONENT) -> Asks:
    """Ask for some more often than for others, independently of what was asked before.

    Which ones has nothing to do with their places; the order is the same each time.
    """
    weights = list(accumulate(rank**-exponent for rank in range(1, len(asks) + 1)))
    chance = random.Random(1)
    places = chance.sample(range(len(asks)), len(asks))
    return Asks(asks, chance.choices(places, cum_weights=weights, k=draws))
