"""Answers with a file: whole, a range of it, or several ranges."""

import hashlib
from collections.abc import Sequence
from typing import Final

from gateway.protocol.answer import (
    NO_BODY,
    Answer,
    BodyFile,
    BodyParts,
    Part,
    Source,
    check_preconditions,
    source_fields,
)
from gateway.protocol.conditional import is_range_current
from gateway.protocol.disposition import clean_filename, content_disposition
from gateway.protocol.headers import Header, Headers
from gateway.protocol.ranges import ByteRange, parse_range
from gateway.protocol.request import GatewayRequest

ACCEPT_RANGES: Final[Header] = (b"accept-ranges", b"bytes")


def file_answer(request: GatewayRequest, source: Source, size: int, content_type: bytes) -> Answer:
    """Answer with a UnixFS file.

    Returns:
        200 or 206 with `BodyFile`, 206 with `BodyParts`, or 304.

    Raises:
        PreconditionFailed: `If-Match` or `If-Unmodified-Since` does not hold.
        RangeNotSatisfiable: no byte of the range is in the file.
    """
    if unchanged := check_preconditions(request, source):
        return unchanged
    head = (*source_fields(request, source), ACCEPT_RANGES, *_file_disposition(request))
    return answer_ranges(request, head, source.etag, size, content_type)


def cut(body: BodyFile | BodyParts, data: bytes) -> bytes:
    """Return the bytes of a planned body, given the whole file."""
    if isinstance(body, BodyFile):
        return data[body.start : body.stop]
    parts = (part.preamble + data[part.start : part.stop] for part in body.parts)
    return b"".join(parts) + body.epilogue


def _file_disposition(request: GatewayRequest) -> Headers:
    name = request.filename
    if request.download and name is None:
        path = request.path
        name = clean_filename(path.segments[-1]) if path.segments else None
        name = name or path.root_text
    if name is None:
        return ()
    value = content_disposition(name, is_attachment=request.download)
    return ((b"content-disposition", value),)


def answer_ranges(
    request: GatewayRequest, head: Headers, etag: bytes, size: int, content_type: bytes
) -> Answer:
    """Answer with content of `size` bytes, or with the requested ranges of it.

    Raises:
        RangeNotSatisfiable: no byte of the range is in the content.
    """
    # RFC 9110, 14.2: Range is defined for GET only.
    is_asked = bool(request.range_header) and not request.is_head
    is_current = is_asked and is_range_current(request.if_range, etag.decode("ascii"))
    found = parse_range(request.range_header, size) if is_current else None
    if found is None:
        headers = (*head, (b"content-type", content_type), _length(size))
        return Answer(200, headers, NO_BODY if request.is_head else BodyFile(0, size))
    if len(found) == 1:
        part = found[0]
        content_range = (b"content-range", _content_range(part, size))
        length = _length(part.stop - part.start)
        headers = (*head, (b"content-type", content_type), length, content_range)
        return Answer(206, headers, BodyFile(part.start, part.stop))
    return _answer_parts(found, head, etag, size, content_type)


def _answer_parts(
    ranges: Sequence[ByteRange], head: Headers, etag: bytes, size: int, content_type: bytes
) -> Answer:
    # The file cannot contain the boundary by design: it is a hash of the file's own CID.
    boundary = hashlib.blake2b(etag, digest_size=16).hexdigest().encode("ascii")
    parts: list[Part] = []
    for part in ranges:
        preamble = b"%s--%s\r\nContent-Type: %s\r\nContent-Range: %s\r\n\r\n" % (
            b"\r\n" if parts else b"",
            boundary,
            content_type,
            _content_range(part, size),
        )
        parts.append(Part(preamble, part.start, part.stop))
    epilogue = b"\r\n--%s--\r\n" % boundary
    length = sum(len(part.preamble) + part.stop - part.start for part in parts) + len(epilogue)
    multipart = (b"content-type", b"multipart/byteranges; boundary=" + boundary)
    return Answer(206, (*head, multipart, _length(length)), BodyParts(tuple(parts), epilogue))


def _content_range(part: ByteRange, size: int) -> bytes:
    return b"bytes %d-%d/%d" % (part.start, part.stop - 1, size)


def _length(size: int) -> Header:
    return b"content-length", b"%d" % size
