"""The landing page at `/`: what a gateway is and how to use it."""

from typing import Final, NamedTuple

from gateway import __version__
from gateway.content.cid import RAW, make_cid
from gateway.content.multihash import IDENTITY
from gateway.protocol.answer import NO_BODY, Answer, BodyBytes
from gateway.protocol.headers import CORS
from gateway.web.pages.templates import PAGE_FIELDS, TEMPLATES


class _Example(NamedTuple):
    href: str
    text: str


_GREETING: Final = make_cid(RAW, IDENTITY, b"Hello from inside of a CID!\n")
_EXAMPLES: Final = (
    _Example(f"/ipfs/{_GREETING}", "a greeting inside an identity CID"),
    # The documentation with which `ipfs init` initialises every new node.
    _Example("/ipfs/QmQPeNsJPyVWPFDVHb77w8G42Fvo15z4bG2X8D2GhfbSXc/readme", "the IPFS readme"),
)
_PAGE: Final = (
    TEMPLATES.get_template("landing.html").render(version=__version__, examples=_EXAMPLES).encode()
)
_HEADERS: Final = (
    *CORS,
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-length", b"%d" % len(_PAGE)),
    (b"cache-control", b"public, max-age=300"),
    *PAGE_FIELDS,
)


def landing_answer(*, is_head: bool = False) -> Answer:
    """Return the answer to `GET /` or `HEAD /`."""
    return Answer(200, _HEADERS, NO_BODY if is_head else BodyBytes(_PAGE))
