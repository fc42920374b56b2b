"""The rows of a directory listing; `gateway.web.pages.listing` makes HTML of them.

The links are those that the conformance suite expects: breadcrumbs without a final slash, and a
link to each entry by its CID with a file name that is percent-encoded twice. Isolated sites have no
`/ipfs/`: on a subdomain these links lead to its gateway, and on a DNSLink site the links of CIDs
lead to a page that explains CIDs.
"""

from typing import Final, NamedTuple
from urllib.parse import quote

from gateway.content.cid import DAG_PB, Cid
from gateway.content.entry_name import is_reachable, show_bytes
from gateway.content.listing import DirectoryEntry
from gateway.content.path import AnyPath, escape_segment
from gateway.protocol.media import guess_type
from gateway.protocol.sites import Site, SiteKind, url_path

MAX_SHOWN_CHARACTERS: Final = 255  # shown of a name; the limit of Linux is 255 bytes
MAX_LINKED_CHARACTERS: Final = 1024
"""Limit of a name in a link, where it is escaped up to twice. Links to entries with longer names,
which could exceed the limit of a URL, use the CID."""


class Crumb(NamedTuple):
    """A link to the directory itself or to one above it."""

    href: str
    text: str


class ListingHead(NamedTuple):
    """The part of a listing above its entries."""

    title: str
    """The content path."""
    namespace: str
    crumbs: tuple[Crumb, ...]
    """Links to the directories from the root to this one."""
    base_href: str
    """The percent-encoded path of the directory with its final slash: prefix of entries' links."""
    parent_href: str | None
    """Link to the parent directory; None for the root of the content."""
    cid: str
    cid_base: str
    """Prefix of links by CID; empty on a site that serves none."""


class Row(NamedTuple):
    """One entry."""

    name: str
    href: str
    """Link by path; by CID when no path can contain the name."""
    hash_href: str
    """Link by the CID of the entry, which stays valid when the directory changes."""
    cid: str
    short_cid: str
    size: str
    """Size of all its blocks as the directory claims it, for people; empty when there is none."""
    icon: str
    """folder, image, video, audio, text, archive or file."""


# Control characters are invisible and are replaced by their symbols (from U+2400). The marks that
# change the direction of text can make "txt.exe" look like "exe.txt".
_VISIBLE: Final = {
    **{code: 0x2400 + code for code in range(0x20)},
    0x7F: 0x2421,
    **dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0xFFFD),
}
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_ARCHIVES: Final = ("zip", "gzip", "bzip2", "x-xz", "zstd", "compressed", "rar", "x-tar", "archive")
_SHORT_ENDS: Final = 4
_CID_PAGE: Final = "https://cid.ipfs.tech/#"  # explains a CID; the conformance suite expects it


def listing_head(site: Site, path: AnyPath, cid: Cid) -> ListingHead:
    """Return the head of the listing of the directory `cid` at `path`."""
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
    """Return a link to content by its CID."""
    return f"{_CID_PAGE}{cid}" if site.kind is SiteKind.DNSLINK else f"{_gateway(site)}/ipfs/{cid}"


def _gateway(site: Site) -> str:
    """Return the host that serves `/ipfs/`, as a reference without scheme; empty for this host."""
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
    """Return the row of one entry of a directory."""
    cid = str(entry.cid)
    hash_href = f"{head.cid_base}{cid}" if head.cid_base else f"{_CID_PAGE}{cid}"
    href, cut = "", ""
    if len(entry.name) <= MAX_LINKED_CHARACTERS:
        segment = escape_segment(entry.name)
        href = head.base_href + segment if is_reachable(entry.name) else ""
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
    """Return a name for display: invalid UTF-8 is escaped, invisible characters are replaced."""
    return show_bytes(name.translate(_VISIBLE))


def format_size(size_bytes: int) -> str:
    """Return a size for people, with about three digits and a unit."""
    size, unit = float(size_bytes), 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    digits = 0 if unit == 0 or size >= 100 else 1
    return f"{size:.{digits}f}\N{NO-BREAK SPACE}{_UNITS[unit]}"


def choose_icon(entry: DirectoryEntry) -> str:
    """Return the icon of an entry, guessed from its name and CID; no block is fetched."""
    media_type = guess_type(entry.name[-MAX_SHOWN_CHARACTERS:])
    if media_type is None:
        # Writers of CIDv1 make small files raw blocks; most other entries are directories.
        is_folder = "." not in entry.name and entry.cid.version == 1 and entry.cid.codec == DAG_PB
        return "folder" if is_folder else "file"
    family, _, kind = media_type.decode("ascii").partition("/")
    if family in ("image", "video", "audio"):
        return family
    if any(word in kind for word in _ARCHIVES):
        return "archive"
    is_text = family == "text" or kind.endswith(("json", "xml", "yaml", "toml", "pdf"))
    return "text" if is_text else "file"
