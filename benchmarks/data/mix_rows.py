"""The rows of the mix: what is asked for, how large it is, and over how many connections."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from benchmarks.data.content import KIB, MIB
from benchmarks.data.token_files import Shelved, Site, pack_site, shelve, zipf
from benchmarks.rig.sequence import Ask, Asks, in_turn

FILES: Final = 6_000
"""Of 1 and 10 KiB; a quarter of it of 100 KiB."""
MEMORY_SHARE: Final = 16 * MIB / (FILES * 10 * KIB)
"""`memory_size` is 16 MiB with 6,000 files of 10 KiB, and as large a part of others."""
COLD_SHARE: Final = 2 / 3
"""How many files are asked for cold, of as many as are warm; over one connection a quarter."""
APART: Final = 20
"""Cold files whose bodies are compared, before the others are asked for."""
LARGE_BYTES: Final = 64 * MIB
RANGE_BYTES: Final = 16 * KIB
RANGES: Final = 64
SIZES: Final = (KIB, 10 * KIB, 100 * KIB)
MANY: Final = 64


class Kind(StrEnum):
    """What is special about a row."""

    HOT = "hot"
    DISK = "disk"
    ZIPF = "zipf 0.9"
    COLD = "cold"
    UNCHANGED = "304"
    RANGE = "range of 64 MiB"
    DIRECTORY = "directory"
    SUBDOMAIN = "subdomain"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    kind: Kind
    size: int
    """Of a body, or of the file that has not changed."""
    connections: int = MANY
    workers: int = 1

    @property
    def label(self) -> str:
        """What it is called."""
        workers = f", {self.workers} workers" if self.workers > 1 else ""
        return f"{self.kind}, {self.size // KIB} KiB, {self.connections}{workers}"


ROWS: Final = (
    *(
        Row(kind, size, connections)
        for kind in (Kind.HOT, Kind.DISK, Kind.ZIPF, Kind.COLD)
        for size in SIZES
        for connections in (MANY, 1)
    ),
    *(Row(kind, 10 * KIB) for kind in (Kind.UNCHANGED, Kind.DIRECTORY, Kind.SUBDOMAIN)),
    Row(Kind.RANGE, RANGE_BYTES),
    *(Row(kind, 10 * KIB, workers=2) for kind in (Kind.HOT, Kind.DISK)),
)
SMOKE_ROWS: Final = tuple(
    row for row in ROWS if row.workers == 1 and row.connections == MANY and row.size == 10 * KIB
)


def files_of(size: int, files: int) -> int:
    """Return how many files of a size there are, if there are `files` of 10 KiB."""
    return files if size <= 10 * KIB else files // 4


def memory_of(size: int, files: int) -> str:
    """Return the `memory_size` beside files of a size."""
    return f"{int(MEMORY_SHARE * files_of(size, files) * size) // KIB}KiB"


def cold_files(size: int, files: int, connections: int) -> int:
    """Return how many files are asked for cold."""
    most = int(files_of(size, files) * COLD_SHARE)
    return most if connections > 1 else most // 4


@dataclass(frozen=True, slots=True)
class Content:
    """All that is asked for."""

    warm: dict[int, list[Shelved]]
    """By size."""
    cold: dict[int, list[Shelved]]
    site: Site
    large: Shelved

    def asks(self, row: Row) -> Asks:
        """Return what a row asks for."""
        asks = self._asks(row)
        return zipf(asks) if row.kind is Kind.ZIPF else in_turn(asks)

    def _asks(self, row: Row) -> Sequence[Ask]:
        match row.kind:
            case Kind.DIRECTORY:
                return [self.site.ask()]
            case Kind.SUBDOMAIN:
                return [self.site.ask_subdomain()]
            case Kind.RANGE:
                step = LARGE_BYTES // RANGES
                return [self.large.ask_range(step * number, row.size) for number in range(RANGES)]
            case _:
                return self._asks_for_files(row)

    def _asks_for_files(self, row: Row) -> Sequence[Ask]:
        if row.kind is Kind.COLD:
            return [file.ask() for file in self.cold[row.size]]
        files = self.warm[row.size]
        if row.kind is Kind.UNCHANGED:
            return [file.ask_again() for file in files]
        return [file.ask() for file in (files[:1] if row.kind is Kind.HOT else files)]


def make_content(folder: Path, rows: Sequence[Row], files: int) -> Content:
    """Pack what the rows ask for into CAR files in a folder."""
    folder.mkdir()
    kept = {row.size for row in rows if row.kind in (Kind.HOT, Kind.DISK, Kind.ZIPF)}
    kept |= {row.size for row in rows if row.kind is Kind.UNCHANGED}
    gone = {row.size for row in rows if row.kind is Kind.COLD}
    warm = {
        size: shelve(folder / f"warm-{size}.car", "warm", [size] * files_of(size, files))
        for size in kept
    }
    cold = {
        size: shelve(
            folder / f"cold-{size}.car", "cold", [size] * (cold_files(size, files, MANY) + APART)
        )
        for size in gone
    }
    site = pack_site(folder / "site.car", 10 * KIB)
    (large,) = shelve(folder / "large.car", "large", [LARGE_BYTES])
    return Content(warm, cold, site, large)
