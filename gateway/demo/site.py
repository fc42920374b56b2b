"""The demo's content as values: a site, a video and a directory of 2,000 files."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import resources

from gateway.demo.picture import png_picture
from gateway.demo.video import video_pieces

MANY_ENTRIES = 2_000
VIDEO_PATH = ("media", "clock.mp4")
MANY_NAME = "many"

_PAGES = ("icon.svg", "index.html", "style.css", "try.html")


@dataclass(frozen=True, slots=True)
class SiteFile:
    """One file; `pieces` produces its bytes on demand."""

    path: tuple[str, ...]
    pieces: Callable[[], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class SiteLink:
    """One symbolic link."""

    path: tuple[str, ...]
    target: str


def site_files() -> Iterator[SiteFile]:
    """Return the files of the site and the video, without those of the large directory."""
    for name in _PAGES:
        yield _fixed((name,), _read_page(name))
    yield SiteFile(("picture.png",), lambda: (png_picture(),))
    yield SiteFile(VIDEO_PATH, video_pieces)
    for name, text in _NAMED:
        yield _fixed(("names", name), text.encode())


def site_links() -> Iterator[SiteLink]:
    """Return the symbolic links of the site."""
    yield SiteLink(("names", "link-to-picture.png"), "../picture.png")


def many_files() -> Iterator[tuple[str, bytes]]:
    """Return name and content of every file of the large directory, in order of name."""
    for number in range(MANY_ENTRIES):
        text = f"This is file {number} of {MANY_ENTRIES}, found by the hash of its name.\n"
        yield f"entry-{number:04}.txt", text.encode()


_NAMED = (
    ("100% & more?.txt", "Percent, ampersand and question mark are only characters here.\n"),
    ("empty.txt", ""),
    ("with spaces.txt", "Spaces in a name are written as %20 in an address.\n"),
    ("été 日本語 🌍.txt", "Names are UTF-8: été, 日本語, 🌍.\n"),
)


def _read_page(name: str) -> bytes:
    return resources.files("gateway.demo").joinpath("files", name).read_bytes()


def _fixed(path: tuple[str, ...], data: bytes) -> SiteFile:
    return SiteFile(path, lambda: (data,))
