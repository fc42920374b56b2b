"""The page of a directory, sent while it is made."""

from collections.abc import AsyncIterator
from typing import Final

from gateway.content.cid import Cid
from gateway.content.listing import DirectoryEntry
from gateway.protocol.headers import Headers
from gateway.protocol.listing import Row, listing_head, listing_row
from gateway.protocol.request import GatewayRequest
from gateway.web.pages import PAGE_FIELDS, TEMPLATES, hash_templates

ROWS_AT_ONCE: Final = 64  # a piece of some 20 kB; the event loop is free between two

_TEMPLATE: Final = TEMPLATES.get_template("listing.html")


class ListingPage:
    """Makes directory listings: the top at once, then the entries as they come."""

    def __init__(self) -> None:
        self.template_hash: str = hash_templates("head.html", "listing.html")
        """Changes with the look of the page; a part of its ETag."""
        self.headers: Headers = PAGE_FIELDS
        """Fields of the page itself."""

    async def render(
        self, request: GatewayRequest, cid: Cid, entries: AsyncIterator[DirectoryEntry]
    ) -> AsyncIterator[bytes]:
        """Yield the page of the directory `cid` in pieces.

        Raises:
            GatewayError: whatever `entries` raises; the page is not complete then.
        """
        head = listing_head(request.site, request.path, cid)
        yield _render("head", head=head)
        count = 0
        rows: list[Row] = []
        async for entry in entries:
            count += 1
            rows.append(listing_row(head, entry))
            if len(rows) == ROWS_AT_ONCE:
                yield _render("rows", head=head, rows=rows)
                rows = []
        yield _render("rows", head=head, rows=rows) + _render("tail", count=count)


def _render(block: str, **values: object) -> bytes:
    return "".join(_TEMPLATE.blocks[block](_TEMPLATE.new_context(values))).encode()
