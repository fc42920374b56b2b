"""What is served: trees of pseudo-random files, the same in every run, packed as CAR."""

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.content.build import PROFILE_V1_2025, Build, Built, Profile, build_file
from gateway.demo.pack import Folder, write_car

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Packed:
    """A tree in a CAR file."""

    car: Path
    root: str
    """CID of the directory."""


def random_bytes(name: str, size: int) -> bytes:
    """Return the content of a file: it depends on its name and size only."""
    return random.Random(f"{name}/{size}").randbytes(size)


def digest(name: str, size: int) -> str:
    """Return the sha2-256 of `random_bytes`, as hexadecimal text."""
    return hashlib.sha256(random_bytes(name, size)).hexdigest()


def pack(car: Path, sizes: Mapping[str, int]) -> Packed:
    """Pack files of `sizes`, by path, into a CAR file."""
    return pack_files(car, {name: random_bytes(name, size) for name, size in sizes.items()})


def pack_files(
    car: Path, files: Mapping[str, bytes], profiles: Mapping[str, Profile] | None = None
) -> Packed:
    """Pack files, by path, into a CAR file; some are cut up in another way than usual."""
    built = write_car(car, _build(files, profiles or {}), lambda _: None)
    return Packed(car, str(built.cid))


def _build(files: Mapping[str, bytes], profiles: Mapping[str, Profile]) -> Build:
    root = Folder()
    for name, data in files.items():
        built: Built = yield from build_file(data, profiles.get(name, PROFILE_V1_2025))
        root.add(tuple(name.split("/")), built)
    return (yield from root.build())
