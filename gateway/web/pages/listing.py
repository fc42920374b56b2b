"""The listing page of a directory, rendered and sent in pieces."""

from collections.abc import AsyncIterator
from typing import Final

from gateway.content.cid import Cid
from gateway.content.listing import DirectoryEntry
from gateway.protocol.headers import Headers
from gateway.protocol.listing import Row, listing_head, listing_row
from gateway.protocol.request import GatewayRequest
from gateway.web.pages.templates import PAGE_FIELDS, TEMPLATES, hash_templates

ROWS_AT_ONCE: Final = 64  # a piece of about 20 kB, rendered in 2 ms
LINKS_AT_ONCE: Final = 64 * 1024
"""Limit of the characters of all links in one piece, for long names."""
MAX_PAGE_BYTES: Final = 16 * 1024 * 1024
"""Size limit of a page, about 40,000 entries; clients request the others by name or in a CAR."""
SPARE_BYTES: Final = 256 * 1024
"""Room that a page keeps for one more piece and its end."""

_TEMPLATE: Final = TEMPLATES.get_template("listing.html")


class ListingPage:
    """Renders directory listings: the top at once, then the entries as they arrive."""

    def __init__(self) -> None:
        self.template_hash: str = hash_templates("head.html", "listing.html")
        """Changes with the template; a part of the page's ETag."""
        self.headers: Headers = PAGE_FIELDS
        """Header fields of the page."""

    async def render(
        self, request: GatewayRequest, cid: Cid, entries: AsyncIterator[DirectoryEntry]
    ) -> AsyncIterator[bytes]:
        """Yield the page of the directory `cid` in pieces.

        Raises:
            GatewayError: any error of `entries`; the page is then incomplete.
        """
        head = listing_head(request.site, request.path, cid)
        piece = _render("head", head=head)
        size, count, links, is_whole = len(piece), 0, 0, True
        yield piece
        rows: list[Row] = []
        async for entry in entries:
            if size > MAX_PAGE_BYTES - SPARE_BYTES:
                is_whole = False
                break
            row = listing_row(head, entry)
            rows.append(row)
            count += 1
            links += len(row.href) + len(row.hash_href)
            if len(rows) == ROWS_AT_ONCE or links > LINKS_AT_ONCE:
                piece = _render("rows", head=head, rows=rows)
                size += len(piece)
                yield piece
                rows, links = [], 0
        tail = _render("tail", count=count, is_whole=is_whole)
        yield _render("rows", head=head, rows=rows) + tail


def _render(block: str, **values: object) -> bytes:
    return "".join(_TEMPLATE.blocks[block](_TEMPLATE.new_context(values))).encode()
