"""Answers: status, header fields and a plan of the body, complete before a byte is sent."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from gateway.content.cid import Cid
from gateway.errors import PreconditionFailed
from gateway.protocol.conditional import ConditionalVerdict, evaluate, format_date
from gateway.protocol.disposition import content_disposition
from gateway.protocol.formats import ResponseFormat, media_type
from gateway.protocol.headers import (
    ALLOW,
    CORS,
    NO_STORE,
    NOSNIFF,
    Header,
    Headers,
    header_text,
    location_text,
    roots_text,
)
from gateway.protocol.redirects import Redirect
from gateway.protocol.request import GatewayRequest
from gateway.protocol.sites import url_path


@dataclass(frozen=True, slots=True)
class NoBody:
    """An empty body."""


@dataclass(frozen=True, slots=True)
class BodyBytes:
    """A body that is at hand."""

    data: bytes


@dataclass(frozen=True, slots=True)
class BodyFile:
    """The bytes `[start, stop)` of the file."""

    start: int
    stop: int


class Part(NamedTuple):
    """One part of a multipart body: the preamble, then bytes of the file."""

    preamble: bytes
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class BodyParts:
    """Several parts of the file (multipart/byteranges), then the epilogue."""

    parts: tuple[Part, ...]
    epilogue: bytes


@dataclass(frozen=True, slots=True)
class BodyCar:
    """The CAR that the request's `car` selects."""


@dataclass(frozen=True, slots=True)
class BodyTar:
    """A TAR of the file, or of the directory with all entries below it."""


@dataclass(frozen=True, slots=True)
class BodyListing:
    """The generated page of the directory."""


Body = NoBody | BodyBytes | BodyFile | BodyParts | BodyCar | BodyTar | BodyListing
NO_BODY: Final = NoBody()


class Answer(NamedTuple):
    """The complete head of an answer and the plan of its body. An answer to HEAD has `NoBody`."""

    status: int
    headers: Headers
    body: Body

    def plus(self, fields: Headers) -> "Answer":
        """Return the same answer with more header fields."""
        return Answer(self.status, self.headers + fields, self.body)


class Source(NamedTuple):
    """The content that an answer is made of: its tag, its CIDs and its age."""

    etag: bytes
    """The entity tag with its quotes; see `gateway.protocol.etags`."""
    roots: tuple[Cid, ...]
    """One CID for each segment of the path; the last is that of the content."""
    is_generated: bool = False
    """Whether it is a page of the gateway, which may look different after an upgrade."""
    mtime: int | None = None
    """Seconds since the epoch, when UnixFS has it."""


OPTIONS: Final = Answer(200, (ALLOW, (b"content-length", b"0"), *CORS), NO_BODY)
"""The answer to every OPTIONS: nothing depends on the path or the origin."""


def source_fields(request: GatewayRequest, source: Source) -> Headers:
    """Return the fields that every answer with content has, including a 304."""
    fields: list[Header] = [(b"etag", source.etag), *path_fields(request, source)]
    freshness = request.freshness
    cache_control = freshness.generated if source.is_generated else freshness.content
    if cache_control:
        fields.append((b"cache-control", cache_control))
    if source.mtime is not None and (date := format_date(source.mtime)):
        fields.append((b"last-modified", date))
    if request.format_from_accept:
        # A cache that uses only the URL as its key must not send these bytes to a browser.
        fields += ((b"content-location", content_location(request)), (b"vary", b"Accept"))
    return CORS + tuple(fields)


def path_fields(request: GatewayRequest, source: Source) -> Headers:
    """Return `X-Ipfs-Path` and `X-Ipfs-Roots`, which redirects have, too."""
    return (
        (b"x-ipfs-path", ipfs_path(request)),
        (b"x-ipfs-roots", roots_text(source.roots)),
    )


def ipfs_path(request: GatewayRequest) -> bytes:
    """Return the value of `X-Ipfs-Path`: the requested content path, before names are resolved."""
    path = request.path
    slash = "/" if path.is_directory else ""
    return header_text("/".join(("", path.namespace, path.root_text, *path.segments)) + slash)


def content_location(request: GatewayRequest) -> bytes:
    """Return the URL that names this format without an `Accept` (path-gateway.md)."""
    slash = "/" if request.path.is_directory else ""
    asked = str(request.format)
    if request.format is ResponseFormat.CAR:
        asked += f"&car-version=1&car-order=dfs&car-dups={'y' if request.car.dups else 'n'}"
    # In front, because the first of two parameters with one name counts.
    query = f"format={asked}" + (f"&{request.query}" if request.query else "")
    return location_text(f"{url_path(request.site, request.path)}{slash}?{query}".encode("latin-1"))


def check_preconditions(request: GatewayRequest, source: Source) -> Answer | None:
    """Return a 304 when the client has the current content; None to go on.

    It needs only the blocks on the path: call it before fetching any other. The functions that
    make answers call it too.

    Raises:
        PreconditionFailed: `If-Match` or `If-Unmodified-Since` does not hold.
    """
    etag = source.etag.decode("ascii")
    verdict = evaluate(request, etag, source.mtime)
    if verdict is ConditionalVerdict.FAILED:
        raise PreconditionFailed(etag)
    if verdict is ConditionalVerdict.NOT_MODIFIED:
        return Answer(304, source_fields(request, source), NO_BODY)
    return None


def listing_answer(request: GatewayRequest, source: Source, page: Headers) -> Answer:
    """Answer with the generated page of a directory.

    Args:
        request: the request.
        source: the directory; `is_generated` is set.
        page: header fields of the page, such as its Content-Security-Policy.
    """
    if unchanged := check_preconditions(request, source):
        return unchanged
    headers = (*source_fields(request, source), (b"content-type", b"text/html"), *page)
    return Answer(200, headers, NO_BODY if request.is_head else BodyListing())


def symlink_answer(request: GatewayRequest, source: Source, target: bytes) -> Answer:
    """Answer with the target of a symbolic link as text, as the deployed gateways do."""
    if unchanged := check_preconditions(request, source):
        return unchanged
    headers = (
        *source_fields(request, source),
        (b"content-type", b"inode/symlink"),
        (b"content-length", str(len(target)).encode()),
    )
    return Answer(200, headers, NO_BODY if request.is_head else BodyBytes(target))


def car_answer(request: GatewayRequest, source: Source) -> Answer:
    """Answer with a CAR; its length is not known before it is written."""
    if unchanged := check_preconditions(request, source):
        return unchanged
    path, dups = request.path, b"y" if request.car.dups else b"n"
    name = "_".join((path.root_text, *path.segments[-1:])) + ".car"
    headers = (
        *source_fields(request, source),
        (b"content-type", b"application/vnd.ipld.car; version=1; order=dfs; dups=" + dups),
        (b"content-disposition", content_disposition(request.filename or name, is_attachment=True)),
        (b"accept-ranges", b"none"),
        NOSNIFF,
    )
    return Answer(200, headers, NO_BODY if request.is_head else BodyCar())


def tar_answer(request: GatewayRequest, source: Source) -> Answer:
    """Answer with a TAR; its length is not known before it is written."""
    if unchanged := check_preconditions(request, source):
        return unchanged
    name = request.filename or f"{source.roots[-1]}.tar"
    headers = (
        *source_fields(request, source),
        (b"content-type", media_type(ResponseFormat.TAR)),
        (b"content-disposition", content_disposition(name, is_attachment=True)),
        (b"accept-ranges", b"none"),
        NOSNIFF,
    )
    return Answer(200, headers, NO_BODY if request.is_head else BodyTar())


def cached_answer(request: GatewayRequest) -> Answer:
    """Answer a HEAD with `only-if-cached`, when the block at the end of the path is cached."""
    headers = (*CORS, (b"x-ipfs-path", ipfs_path(request)), (b"cache-control", NO_STORE))
    return Answer(200, headers, NO_BODY)


def redirect_answer(redirect: Redirect, fields: Headers = ()) -> Answer:
    """Answer with a redirect and no body."""
    headers = (*CORS, (b"location", redirect.location), (b"content-length", b"0"), *fields)
    return Answer(redirect.status, headers, NO_BODY)
