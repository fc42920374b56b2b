"""The catalogue of the load: what there is, how large and how popular it is."""

import json
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.data.content import KIB, MIB, Packed, pack_files
from benchmarks.data.popularity import popularity

SMALL_FILES = 2_000
IMAGES = 300
MEDIA_BYTES = (8 * MIB, 16 * MIB, 32 * MIB)
_SEED = 20_220_307
"""The first day of the traffic that the popularity is taken from."""


@dataclass(frozen=True, slots=True)
class Item:
    """One file of the catalogue."""

    path: str
    """Path and root, as it is asked for."""
    size: int
    weight: float
    """How often it is asked for, against the others of its kind."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What visitors ask for."""

    small: list[Item]
    """JSON of 200 bytes to 20 KB: the metadata that programs ask gateways for."""
    images: list[Item]
    """20 to 400 KB."""
    media: list[Item]
    """Asked for in ranges."""
    listings: list[str]

    def save(self, file: Path) -> None:
        """Write it for the load's own process."""
        file.write_text(json.dumps(asdict(self)))


def load_catalogue(file: Path) -> Catalogue:
    """Read what `Catalogue.save` wrote."""
    tree = json.loads(file.read_text())
    kinds = {kind: [Item(**item) for item in tree[kind]] for kind in ("small", "images", "media")}
    return Catalogue(**kinds, listings=tree["listings"])


def pack_catalogue(car: Path) -> tuple[Packed, Catalogue]:
    """Make every file of the catalogue and pack them as one tree."""
    chance = random.Random(_SEED)
    small, images, media = (dict(kind(chance)) for kind in (_small, _images, _media))
    packed = pack_files(car, small | images | media)
    catalogue = Catalogue(
        _items(packed, small),
        _items(packed, images),
        _items(packed, media),
        [f"/ipfs/{packed.root}/{folder}/" for folder in ("small", "images")],
    )
    return packed, catalogue


def _items(packed: Packed, files: dict[str, bytes]) -> list[Item]:
    weights = popularity(len(files))
    return [
        Item(f"/ipfs/{packed.root}/{name}", len(data), weight)
        for (name, data), weight in zip(files.items(), weights, strict=True)
    ]


def _small(chance: random.Random) -> Iterator[tuple[str, bytes]]:
    for number in range(SMALL_FILES):
        size = int(200 * 100 ** chance.random())
        text = chance.randbytes(size // 2).hex()
        yield f"small/{number}.json", json.dumps({"token": number, "data": text}).encode()


def _images(chance: random.Random) -> Iterator[tuple[str, bytes]]:
    for number in range(IMAGES):
        size = int(20 * KIB * 20 ** chance.random())
        yield f"images/{number}.png", b"\x89PNG\r\n\x1a\n" + chance.randbytes(size)


def _media(chance: random.Random) -> Iterator[tuple[str, bytes]]:
    for number, size in enumerate(MEDIA_BYTES):
        yield f"media/{number}.mp4", chance.randbytes(size)
