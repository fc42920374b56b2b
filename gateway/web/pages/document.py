"""The preview page of a DAG-JSON or DAG-CBOR document."""

from typing import Final

from gateway.content.cid import CODEC_NAMES, Cid
from gateway.content.ipld import Value
from gateway.protocol.document import document_rows
from gateway.protocol.headers import Headers
from gateway.protocol.listing import listing_head
from gateway.protocol.request import GatewayRequest
from gateway.web.pages.templates import PAGE_FIELDS, TEMPLATES, hash_templates

_TEMPLATE: Final = TEMPLATES.get_template("document.html")


class PreviewPage:
    """Renders previews of documents."""

    def __init__(self) -> None:
        self.template_hash: str = hash_templates("head.html", "document.html")
        """Changes with the template; a part of the page's ETag."""
        self.headers: Headers = PAGE_FIELDS
        """Header fields of the page."""

    def render(self, request: GatewayRequest, cid: Cid, value: Value) -> bytes:
        """Return the HTML page of the document `cid`."""
        rows, is_whole = document_rows(request.site, request.path, value)
        return _TEMPLATE.render(
            head=listing_head(request.site, request.path, cid),
            codec=CODEC_NAMES[cid.codec],
            rows=rows,
            is_whole=is_whole,
        ).encode()
