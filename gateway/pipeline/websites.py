"""What a website says of paths that it does not have: its `_redirects` file."""

from collections.abc import AsyncIterator

from gateway.content.path import ContentPath, parse_path
from gateway.content.read import read_file
from gateway.content.resolve import resolve
from gateway.content.unixfs import FileEntity, Piece
from gateway.content.walk import Scope
from gateway.errors import BadPath, BadRedirects, NoSuchLink, NotTraversable, Unsupported
from gateway.pipeline.drive import Reader
from gateway.protocol.headers import location_text
from gateway.protocol.redirects_file import (
    FILE_NAME,
    MAX_FILE_BYTES,
    Match,
    find_match,
    parse_redirects,
)


async def find_rule(reader: Reader, path: ContentPath) -> Match | None:
    """Return what the website says of a path that does not exist; None when it says nothing.

    Raises:
        BadRedirects: its file cannot be read.
        RetrievalError: it cannot be had.
    """
    walk = resolve(path.root, (FILE_NAME,), Scope.ENTITY, 0, MAX_FILE_BYTES + 1)
    try:
        file = (await reader.drive(walk)).entity
    except (NoSuchLink, NotTraversable, Unsupported):
        return None
    if not isinstance(file, FileEntity):
        raise BadRedirects("it is not a file")
    pieces: AsyncIterator[Piece] = reader.stream(read_file(file, 0, MAX_FILE_BYTES + 1))
    rules = parse_redirects(b"".join([piece async for piece in pieces]))
    return find_match(rules, path.segments)


def rewrite(path: ContentPath, to: str) -> ContentPath:
    """Return where a rule leads that stays on the website.

    Raises:
        BadRedirects: not to a path.
    """
    plain = to.partition("#")[0].partition("?")[0]
    try:
        target = parse_path(
            b"/ipfs/%b%b" % (str(path.root).encode(), location_text(plain.encode()))
        )
    except BadPath as exc:
        raise BadRedirects(f"{to[:100]!r} is not a path ({exc.reason})") from None
    assert isinstance(target, ContentPath)  # noqa: S101 (it starts with /ipfs/)
    return target
