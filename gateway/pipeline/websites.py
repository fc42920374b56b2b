"""Applies the `_redirects` file of a website to paths that do not exist in it."""

from collections.abc import AsyncIterator

from gateway.content.path import ContentPath, parse_path
from gateway.content.read import read_file
from gateway.content.unixfs import FileEntity, Piece
from gateway.content.walk import Scope
from gateway.errors import BadPath, BadRedirects, NoSuchLink, NotTraversable, Unsupported
from gateway.pipeline.contents import ContentReplies
from gateway.pipeline.drive import Reader
from gateway.pipeline.reply import Reply
from gateway.protocol.answer import redirect_answer
from gateway.protocol.headers import location_text
from gateway.protocol.redirects import Redirect
from gateway.protocol.redirects_file import (
    FILE_NAME,
    MAX_FILE_BYTES,
    PAGES,
    REDIRECTS,
    Match,
    find_match,
    parse_redirects,
    with_query,
)
from gateway.protocol.request import GatewayRequest


async def find_rule(reader: Reader, path: ContentPath) -> Match | None:
    """Return the match of a missing path in the site's `_redirects`; None when no rule matches.

    Raises:
        BadRedirects: the file is malformed, or expands the path beyond its limit.
        RetrievalError: the file cannot be retrieved.
    """
    own = ContentPath(path.namespace, path.root, (FILE_NAME,))
    try:
        file = await reader.open(await reader.resolve(own, Scope.ENTITY, 0, MAX_FILE_BYTES + 1))
    except (NoSuchLink, NotTraversable, Unsupported):
        return None
    if not isinstance(file, FileEntity):
        raise BadRedirects("it is not a file")
    pieces: AsyncIterator[Piece] = reader.stream(read_file(file, 0, MAX_FILE_BYTES + 1))
    rules = parse_redirects(b"".join([piece async for piece in pieces]))
    return find_match(rules, path.segments)


async def apply_rule(
    contents: ContentReplies,
    match: Match,
    request: GatewayRequest,
    path: ContentPath,
    reader: Reader,
) -> Reply:
    """Return the reply that a rule of the website demands for `path`.

    Raises:
        BadRedirects: the rule's target is not a valid path.
        ClientError, ContentError, RetrievalError: as `ContentReplies.reply`.
    """
    if match.status in REDIRECTS:
        query = location_text(request.query.encode("latin-1")).decode("ascii")
        location = with_query(match.to, query).encode("ascii")
        return Reply(redirect_answer(Redirect(location, match.status)), None, reader.source)
    target = _rewrite(path, match.to)
    if match.status in PAGES:
        return await contents.reply_with_page(request, target, reader, match.status)
    return await contents.reply(request, target, reader, is_rewritten=True)


def _rewrite(path: ContentPath, to: str) -> ContentPath:
    plain = to.partition("#")[0].partition("?")[0].encode("ascii")
    try:
        target = parse_path(b"/ipfs/%b%b" % (path.root_name.encode(), plain))
    except BadPath as exc:
        raise BadRedirects(f"{to[:100]!r} is not a path ({exc.reason})") from None
    assert isinstance(target, ContentPath)  # noqa: S101 (it starts with /ipfs/)
    return target
