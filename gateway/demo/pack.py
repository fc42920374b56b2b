"""A packer of file trees into one CAR file, with bounded memory."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from gateway.content.build import (
    Build,
    Built,
    build_directory,
    build_file,
    build_hamt,
    build_symlink,
)
from gateway.content.car import car_header, car_section
from gateway.content.cid import RAW, parse_cid, sha256_cid
from gateway.demo.carfile import CarFile
from gateway.demo.site import MANY_NAME, many_files, site_files, site_links
from gateway.errors import BadBlock, BadCar

DEMO_ROOT: Final = parse_cid("bafybeifymhpwlawbjs4b6a5h6kaaqzktqlowqf5z37ymoykb7v4lsafkie")
"""The root of the demo, the same on every machine. It changes with the demo's content; a test then
shows the new one."""
PACKED_BYTES: Final = 67_774_000
"""Approximate size of the packed demo, for progress bars."""

_ANY_ROOT: Final = sha256_cid(RAW, bytes(32))
"""Placeholder in the header until the root is known; has the length of every sha2-256 CIDv1."""

Progress = Callable[[int], None]
"""Called with the number of bytes of the CAR written so far."""


@dataclass(slots=True)
class Folder:
    """A directory under construction: its entries and subfolders, by name."""

    entries: dict[str, Built] = field(default_factory=dict[str, Built])
    folders: dict[str, "Folder"] = field(default_factory=dict[str, "Folder"])

    def add(self, path: tuple[str, ...], built: Built) -> None:
        """Add an entry at a path; creates the folders on the way."""
        folder = self
        for name in path[:-1]:
            folder = folder.folders.setdefault(name, Folder())
        folder.entries[path[-1]] = built

    def build(self) -> Build:
        """Build this directory and its subfolders."""
        entries = dict(self.entries)
        for name, folder in self.folders.items():
            entries[name] = yield from folder.build()
        return (yield from build_directory(entries.items()))


def pack_demo(directory: Path, progress: Progress) -> Path:
    """Return the path of the demo's CAR file in `directory`; packs it unless it is complete.

    Raises:
        OSError: it cannot be written.
    """
    car = directory / f"demo-{DEMO_ROOT}.car"
    if not _is_whole(car):
        directory.mkdir(parents=True, exist_ok=True)
        write_car(car, build_demo(), progress)
    return car


def write_car(car: Path, build: Build, progress: Progress) -> Built:
    """Write the blocks of a build into a CAR file, which appears only once it is complete.

    Raises:
        OSError: it cannot be written.
    """
    handle, name = tempfile.mkstemp(dir=car.parent, prefix=car.name, suffix=".part")
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(car_header((_ANY_ROOT,)))
            built = _write_blocks(file, build, progress)
            file.seek(0)
            file.write(car_header((built.cid,)))
        part.replace(car)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return built


def _write_blocks(file: BinaryIO, build: Build, progress: Progress) -> Built:
    try:
        while True:
            file.writelines(car_section(next(build)))
            progress(file.tell())
    except StopIteration as stop:
        built: Built = stop.value
        return built


def _is_whole(car: Path) -> bool:
    """Tell whether the file exists and all its blocks verify; takes 50 ms for the demo."""
    try:
        with CarFile(car) as blocks:
            for _ in blocks.read_all():
                pass
            return DEMO_ROOT in blocks
    except (OSError, BadCar, BadBlock):
        return False


def build_demo() -> Build:
    """Build the demo: the site with its video, and the large directory, below one root."""
    root = Folder()
    for file in site_files():
        root.add(file.path, (yield from build_file(file.pieces())))
    for link in site_links():
        root.add(link.path, (yield from build_symlink(link.target.encode())))
    many: list[tuple[str, Built]] = []
    for name, data in many_files():
        many.append((name, (yield from build_file(data))))
    root.add((MANY_NAME,), (yield from build_hamt(many)))
    return (yield from root.build())
