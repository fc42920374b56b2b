"""The rows of a document's preview page; `gateway.web.pages.document` makes HTML of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from gateway.content.cid import Cid
from gateway.content.ipld import Value
from gateway.content.path import AnyPath, escape_segment
from gateway.protocol.listing import cid_href, show_name
from gateway.protocol.sites import Site, url_path

MAX_ROWS: Final = 1000  # values on a page, about 200 kB; downloads have the whole document
MAX_TEXT_CHARACTERS: Final = 500  # shown of one value
MAX_KEY_CHARACTERS: Final = 100
MAX_HREF_CHARACTERS: Final = 4096  # half of the limit of a path

_SHOWN_BYTES: Final = 32
_NO_SEGMENTS: Final = frozenset({"", ".", ".."})


class Row(NamedTuple):
    """One value, or the end of a list or map."""

    kind: str
    """link, text, bytes, number, bool, null, list, map; or end, of the innermost list or map."""
    key: str = ""
    """Its key or index; empty for the whole document."""
    text: str = ""
    href: str = ""
    """Target of a link."""


class DocumentRows(NamedTuple):
    """The rows of a document, in order; every list and map that begins has its end."""

    rows: tuple[Row, ...]
    is_whole: bool
    """Whether the rows hold all values."""


@dataclass(slots=True)
class _Level:
    items: Iterator[tuple[str, Value]]
    href: str | None
    """Path of the list or map; None when no path leads to it."""


def document_rows(site: Site, path: AnyPath, value: Value) -> DocumentRows:
    """Return the rows of the document at `path`: at most `MAX_ROWS`, not counting the ends."""
    rows: list[Row] = []
    levels = [_Level(iter((("", value),)), url_path(site, path))]
    count, is_whole = 0, True
    while levels:
        level = levels[-1]
        item = next(level.items, None)
        if item is None or count == MAX_ROWS:
            is_whole = is_whole and item is None
            levels.pop()
            if levels:
                rows.append(Row("end"))
            continue
        count += 1
        key, held = item
        is_top = len(levels) == 1
        href = level.href if is_top else _href_below(level.href, key)
        rows.append(_row(site, key, held, None if is_top else href))
        if isinstance(held, list):
            levels.append(_Level(((str(n), each) for n, each in enumerate(held)), href))
        elif isinstance(held, dict):
            levels.append(_Level(iter(held.items()), href))
    return DocumentRows(tuple(rows), is_whole)


def _href_below(above: str | None, key: str) -> str | None:
    """Return the path of the value under a key; None when a path cannot contain the key."""
    if above is None or len(key) > MAX_HREF_CHARACTERS:  # first: a key may be two megabytes
        return None
    if key in _NO_SEGMENTS or "\0" in key or not _is_unicode(key):
        return None
    href = f"{above}/{escape_segment(key)}"
    return href if len(href) <= MAX_HREF_CHARACTERS else None


def _row(site: Site, key: str, value: Value, href: str | None) -> Row:
    name = _show(key, MAX_KEY_CHARACTERS)
    match value:
        case Cid():
            row = Row("link", name, str(value), href or cid_href(site, value))
        case str():
            row = Row("text", name, _show(value, MAX_TEXT_CHARACTERS))
        case bytes():
            cut = "\N{HORIZONTAL ELLIPSIS}" if len(value) > _SHOWN_BYTES else ""
            row = Row("bytes", name, f"{value[:_SHOWN_BYTES].hex(' ')}{cut} ({len(value)} bytes)")
        case bool():
            row = Row("bool", name, str(value).lower())
        case None:
            row = Row("null", name, "null")
        case list():
            row = Row("list", name, f"{len(value)} in a list")
        case dict():
            row = Row("map", name, f"{len(value)} in a map")
        case _:
            row = Row("number", name, _show(str(value), MAX_TEXT_CHARACTERS))
    return row


def _show(text: str, limit: int) -> str:
    """Cut a text, and replace its invisible characters by visible ones."""
    cut = "\N{HORIZONTAL ELLIPSIS}" if len(text) > limit else ""
    shown = text[:limit].encode("utf-8", "replace").decode("utf-8")
    return show_name(shown) + cut


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # bytes of a text that is not UTF-8
        return False
    return True
