"""Content paths: `/ipfs/{cid}/a/b` and `/ipns/{name}/a/b`, decoded once from raw bytes.

https://specs.ipfs.tech/http-gateways/path-gateway/. Strict, so that two spellings never share a
cache key by accident: each segment is percent-decoded once, and an encoded slash stays inside its
segment. Segments are bytes, as names of entries are: see `entry_name`.
"""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from typing_extensions import override

from gateway.content.cid import Cid, parse_cid
from gateway.content.entry_name import decode_name, is_text, quote_name
from gateway.content.names import Name, parse_name
from gateway.errors import BadCid, BadPath

MAX_PATH_BYTES: Final = 8 * 1024  # as nginx's large_client_header_buffers, which limit it before
MAX_SEGMENTS: Final = 256  # each costs a block to resolve

_SHOWN_BYTES = 256  # of a bad path, in its error
_UNESCAPED = "/$&+,:;=@"  # beside letters, digits and _.-~; as Go's url.EscapedPath, so as Kubo
_NOT_IN_A_PATH = re.compile(rb"[\0?#]|%(?![0-9A-Fa-f]{2})|%00")


@dataclass(frozen=True, slots=True)
class ContentPath:
    """A root and the segments below it. Equal paths name the same content."""

    namespace: str
    """`ipfs`."""
    root: Cid
    segments: tuple[str, ...] = ()
    """Decoded (`entry_name`); never empty, `.` or `..`. A slash in one was percent-encoded."""
    is_directory: bool = False
    """Whether the path ended with a slash."""
    root_text: str = field(default="", compare=False)
    """The root as the client wrote it; its canonical text in paths of other origin."""

    def __post_init__(self) -> None:
        if not self.root_text:
            object.__setattr__(self, "root_text", str(self.root))

    @property
    def root_name(self) -> str:
        """The canonical text of the root."""
        return str(self.root)

    def below(self, *names: str) -> "ContentPath":
        """Return the path that continues with `names`."""
        segments = (*self.segments, *names)
        return ContentPath(self.namespace, self.root, segments, root_text=self.root_text)

    @override
    def __str__(self) -> str:
        """Return the path with the canonical text of its root, not escaped."""
        slash = "/" if self.is_directory else ""
        return "/".join(("", self.namespace, self.root_name, *self.segments)) + slash


@dataclass(frozen=True, slots=True)
class MutablePath:
    """A mutable name and the segments below its current target."""

    name: Name
    segments: tuple[str, ...] = ()
    """As those of a `ContentPath`."""
    is_directory: bool = False
    """Whether the path ended with a slash."""
    root_text: str = field(default="", compare=False)
    """The name as the client wrote it; its canonical text in paths of other origin."""

    def __post_init__(self) -> None:
        if not self.root_text:
            object.__setattr__(self, "root_text", str(self.name))

    @property
    def namespace(self) -> str:
        """`ipns`."""
        return "ipns"

    @property
    def root_name(self) -> str:
        """The canonical text of the name."""
        return str(self.name)

    @override
    def __str__(self) -> str:
        """Return the path with the canonical text of its name, not escaped."""
        slash = "/" if self.is_directory else ""
        return "/".join(("", self.namespace, self.root_name, *self.segments)) + slash


AnyPath = ContentPath | MutablePath


def parse_path(raw: bytes) -> AnyPath:
    """Parse the raw, percent-encoded path of a request target, without its query.

    Empty segments and `.` are dropped, `..` removes the segment before it.

    Raises:
        BadPath: too long, badly escaped, above its root, or without a valid CID or name.
    """
    if len(raw) > MAX_PATH_BYTES:
        raise _bad(raw, f"{len(raw)} bytes are more than {MAX_PATH_BYTES}")
    if found := _NOT_IN_A_PATH.search(raw):
        raise _bad(raw, f"a bad escape or character at byte {found.start()}")
    return _make(raw, _clean(raw, _decode(raw)))


def parse_target(text: str) -> AnyPath:
    """Parse the path in a record or a DNSLink, which is not percent-encoded.

    Raises:
        BadPath: as `parse_path`.
    """
    raw = text.encode("utf-8", "surrogatepass")
    if len(raw) > MAX_PATH_BYTES:
        raise _bad(raw, f"{len(raw)} bytes are more than {MAX_PATH_BYTES}")
    if not text.startswith("/") or "\0" in text or not is_text(text):
        raise _bad(raw, "it does not start with a slash, contains a NUL, or is not UTF-8")
    return _make(raw, _clean(raw, text.split("/")))


def _make(raw: bytes, parts: list[str]) -> AnyPath:
    if len(parts) < 2 or parts[0] not in ("ipfs", "ipns"):
        raise _bad(raw, "a content path is /ipfs/{cid} or /ipns/{name} with names after it")
    if len(parts) - 2 > MAX_SEGMENTS:
        raise _bad(raw, f"{len(parts) - 2} segments are more than {MAX_SEGMENTS}")
    namespace, root_text, *segments = parts
    if not is_text(root_text):
        raise _bad(raw, "the CID or name is not UTF-8")
    try:
        if namespace == "ipfs":
            root = parse_cid(root_text)
            return ContentPath(namespace, root, tuple(segments), raw.endswith(b"/"), root_text)
        name = parse_name(root_text)
        return MutablePath(name, tuple(segments), raw.endswith(b"/"), root_text)
    except BadCid as exc:
        raise _bad(raw, str(exc)) from exc


def _decode(raw: bytes) -> list[str]:
    if not raw.startswith(b"/"):
        raise _bad(raw, "it does not start with a slash")
    if b"%" not in raw:
        return decode_name(raw).split("/")
    return [decode_name(unquote_to_bytes(part)) for part in raw.split(b"/")]


def _clean(raw: bytes, parts: list[str]) -> list[str]:
    kept: list[str] = []
    for part in parts:
        if part == "..":
            if len(kept) < 3:  # namespace and root cannot be removed
                raise _bad(raw, "it goes above its root")
            kept.pop()
        elif part not in ("", "."):
            kept.append(part)
    return kept


def _bad(raw: bytes, reason: str) -> BadPath:
    shown = quote(raw[:_SHOWN_BYTES], safe=_UNESCAPED + "%")
    return BadPath(shown + ("..." if len(raw) > _SHOWN_BYTES else ""), reason)


def escape_path(text: str) -> str:
    """Percent-encode a path for a Location header or an href; slashes stay."""
    return quote_name(text, _UNESCAPED)


def escape_segment(name: str) -> str:
    """Percent-encode one segment, including any slash in it."""
    return escape_path(name).replace("/", "%2F")
