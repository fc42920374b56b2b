"""What a directory listing shows, as values; `gateway.web.pages.listing` makes HTML of them.

The links are those that the conformance suite looks for: breadcrumbs without a final slash, and a
link to each entry by its CID whose file name is percent-encoded twice. A website of its own has
no `/ipfs/`: there the former lead to the gateway that the subdomain belongs to, and CIDs are
explained by a page for that.
"""

from typing import Final, NamedTuple
from urllib.parse import quote

from gateway.content.cid import DAG_PB, Cid
from gateway.content.entry_name import UNREACHABLE, show_bytes
from gateway.content.listing import DirectoryEntry
from gateway.content.path import AnyPath, escape_segment
from gateway.protocol.media import guess_type
from gateway.protocol.sites import Site, SiteKind, url_path

MAX_SHOWN_CHARACTERS: Final = 255  # of a name; Linux has none with more
MAX_LINKED_CHARACTERS: Final = 1024
"""Of a name that is a part of links, where it is escaped up to twice: what is longer, and would
soon be longer than a URL may be, is linked to by its CID."""


class Crumb(NamedTuple):
    """A link to the directory itself or to one above it."""

    href: str
    text: str


class ListingHead(NamedTuple):
    """What stands above the entries."""

    title: str
    """The content path."""
    namespace: str
    crumbs: tuple[Crumb, ...]
    """From the root to this directory."""
    base_href: str
    """The directory's path with its final slash, percent-encoded; links of entries start so."""
    parent_href: str | None
    """None for the root of the content."""
    cid: str
    cid_base: str
    """What the link to an entry by its CID starts with; empty where none is served."""


class Row(NamedTuple):
    """One entry."""

    name: str
    href: str
    """Below the directory; by its CID where no path has such a name."""
    hash_href: str
    """By the entry's own CID: stays right when the directory changes."""
    cid: str
    short_cid: str
    size: str
    """Of all its blocks, as the directory claims; empty when it does not say."""
    icon: str
    """folder, image, video, audio, text, archive or file."""


# Control characters have no look of their own; the symbols for them (U+2400 and on) do. The marks
# that turn text around would let "txt.exe" be read as "exe.txt".
_VISIBLE: Final = {
    **{code: 0x2400 + code for code in range(0x20)},
    0x7F: 0x2421,
    **dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0xFFFD),
}
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_ARCHIVES: Final = ("zip", "gzip", "bzip2", "x-xz", "zstd", "compressed", "rar", "x-tar", "archive")
_SHORT_ENDS: Final = 4
_CID_PAGE: Final = "https://cid.ipfs.tech/#"  # explains a CID in the browser; the suite's choice


def listing_head(site: Site, path: AnyPath, cid: Cid) -> ListingHead:
    """Return what stands above the entries of the directory `cid` at `path`."""
    href = url_path(site, path)
    crumbs = _crumbs(site, path)
    return ListingHead(
        title="/".join(("", path.namespace, *[crumb.text for crumb in crumbs])),
        namespace=path.namespace,
        crumbs=crumbs,
        base_href=f"{href}/",
        parent_href=f"{href}/.." if path.segments else None,
        cid=str(cid),
        cid_base="" if site.kind is SiteKind.DNSLINK else f"{_gateway(site)}/ipfs/",
    )


def cid_href(site: Site, cid: Cid) -> str:
    """Return a link to content by its CID alone."""
    return f"{_CID_PAGE}{cid}" if site.kind is SiteKind.DNSLINK else f"{_gateway(site)}/ipfs/{cid}"


def _gateway(site: Site) -> str:
    """Return where `/ipfs/` is, as a reference without scheme."""
    return f"//{site.parent}" if site.kind is SiteKind.SUBDOMAIN else ""


def _crumbs(site: Site, path: AnyPath) -> tuple[Crumb, ...]:
    if site.kind is SiteKind.DNSLINK:
        base = f"//{site.host}"
        crumbs = [Crumb(f"{base}/", path.root_text)]
    else:
        base = f"{_gateway(site)}/{path.namespace}/{path.root_text}"
        crumbs = [Crumb(base, path.root_text)]
    for segment in path.segments:
        base = f"{base}/{escape_segment(segment)}"
        crumbs.append(Crumb(base, show_name(segment)))
    return tuple(crumbs)


def listing_row(head: ListingHead, entry: DirectoryEntry) -> Row:
    """Return one entry of a directory."""
    cid = str(entry.cid)
    hash_href = f"{head.cid_base}{cid}" if head.cid_base else f"{_CID_PAGE}{cid}"
    href, cut = "", ""
    if len(entry.name) <= MAX_LINKED_CHARACTERS:
        segment = escape_segment(entry.name)
        href = "" if entry.name in UNREACHABLE else head.base_href + segment
        hash_href += f"?filename={quote(segment, safe='')}" if head.cid_base else ""
    if len(entry.name) > MAX_SHOWN_CHARACTERS:
        cut = "\N{HORIZONTAL ELLIPSIS}"
    return Row(
        name=show_name(entry.name[:MAX_SHOWN_CHARACTERS]) + cut,
        href=href or hash_href,
        hash_href=hash_href,
        cid=cid,
        short_cid=f"{cid[:_SHORT_ENDS]}\N{HORIZONTAL ELLIPSIS}{cid[-_SHORT_ENDS:]}",
        size="" if entry.tsize is None else format_size(entry.tsize),
        icon=choose_icon(entry),
    )


def show_name(name: str) -> str:
    """Return a name with what is no text escaped, and no character invisible or hiding others."""
    return show_bytes(name.translate(_VISIBLE))


def format_size(size_bytes: int) -> str:
    """Return a size for people: three digits or so, and a unit."""
    size, unit = float(size_bytes), 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    digits = 0 if unit == 0 or size >= 100 else 1
    return f"{size:.{digits}f}\N{NO-BREAK SPACE}{_UNITS[unit]}"


def choose_icon(entry: DirectoryEntry) -> str:
    """Guess what an entry is from its name and CID; the entry itself is not fetched."""
    media_type = guess_type(entry.name[-MAX_SHOWN_CHARACTERS:])
    if media_type is None:
        # Writers of CIDv1 make small files raw blocks; what is left is mostly directories.
        is_folder = "." not in entry.name and entry.cid.version == 1 and entry.cid.codec == DAG_PB
        return "folder" if is_folder else "file"
    family, _, kind = media_type.decode("ascii").partition("/")
    if family in ("image", "video", "audio"):
        return family
    if any(word in kind for word in _ARCHIVES):
        return "archive"
    is_text = family == "text" or kind.endswith(("json", "xml", "yaml", "toml", "pdf"))
    return "text" if is_text else "file"
