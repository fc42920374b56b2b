"""Answers with the bytes of one block: as a raw block, or as the document that it holds.

https://specs.ipfs.tech/http-gateways/path-gateway/ with IPIP-524: the gateway converts no codec
into another. Only the media type may become a plainer one, as all DAG-JSON is JSON.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway.content.cid import CBOR, CODEC_NAMES, DAG_CBOR, DAG_JSON, DAG_PB, JSON, RAW, Cid
from gateway.errors import NotAcceptable
from gateway.protocol.answer import (
    NO_BODY,
    Answer,
    BodyBytes,
    BodyFile,
    BodyParts,
    Source,
    check_preconditions,
    source_fields,
)
from gateway.protocol.disposition import content_disposition
from gateway.protocol.file_answer import ACCEPT_RANGES, answer_ranges, cut
from gateway.protocol.formats import ResponseFormat, media_type
from gateway.protocol.headers import NOSNIFF, Header, Headers
from gateway.protocol.request import GatewayRequest

_NATIVE: Final[Mapping[int, ResponseFormat]] = MappingProxyType(
    {
        DAG_JSON: ResponseFormat.DAG_JSON,
        DAG_CBOR: ResponseFormat.DAG_CBOR,
        JSON: ResponseFormat.JSON,
        CBOR: ResponseFormat.CBOR,
    }
)
"""The format of a block by its codec, when the request names no format."""
_ALSO: Final[Mapping[int, ResponseFormat]] = MappingProxyType(
    {DAG_JSON: ResponseFormat.JSON, DAG_CBOR: ResponseFormat.CBOR}
)
"""The plainer formats in which the same bytes are valid."""
_FILE_CODECS: Final = frozenset({RAW, DAG_PB})
_PLAIN: Final = frozenset({ResponseFormat.JSON, ResponseFormat.CBOR})
_TEXTS: Final = frozenset({ResponseFormat.JSON, ResponseFormat.DAG_JSON})
_EXTENSIONS: Final[Mapping[ResponseFormat, str]] = MappingProxyType(
    {
        ResponseFormat.RAW: ".bin",
        ResponseFormat.JSON: ".json",
        ResponseFormat.DAG_JSON: ".json",
        ResponseFormat.CBOR: ".cbor",
        ResponseFormat.DAG_CBOR: ".cbor",
    }
)
_VARY: Final[Header] = (b"vary", b"Accept")


def choose_block_format(asked: ResponseFormat, cid: Cid) -> ResponseFormat | None:
    """Return the format in which a document is sent; None when the block may be UnixFS.

    A UnixFS file that holds JSON or CBOR may be requested as such, too; `check_file_format`
    decides that from its content type.

    Raises:
        NotAcceptable: the block has another codec.
    """
    native = _NATIVE.get(cid.codec)
    if asked is ResponseFormat.UNIXFS:
        return native
    if asked in (native, _ALSO.get(cid.codec)):
        return asked
    if asked in _PLAIN and cid.codec in _FILE_CODECS:
        return None
    codec = CODEC_NAMES.get(cid.codec, f"0x{cid.codec:x}")
    raise NotAcceptable(
        f"{cid} is {codec}, not {asked}, and the gateway converts nothing: request ?format=raw"
    )


def require_default(asked: ResponseFormat, cid: Cid) -> None:
    """Check that a directory or symlink is not requested as JSON or CBOR.

    Raises:
        NotAcceptable: it is requested as such.
    """
    if asked is not ResponseFormat.UNIXFS:
        raise NotAcceptable(f"{cid} is not a file: it cannot be {asked}")


def check_file_format(asked: ResponseFormat, cid: Cid, content_type: bytes) -> None:
    """Check that a UnixFS file has the content type of the requested format.

    Raises:
        NotAcceptable: it has another content type.
    """
    if asked in _PLAIN and content_type != media_type(asked):
        raise NotAcceptable(f"{cid} is not {asked}, but {content_type.decode('ascii')}")


def block_answer(
    request: GatewayRequest, source: Source, data: bytes, format_: ResponseFormat
) -> Answer:
    """Answer with the bytes of a block, or parts of them.

    Args:
        request: the request.
        source: the block's tag and CIDs.
        data: the block's bytes.
        format_: the format of the answer: RAW, or the result of `choose_block_format`.

    Raises:
        PreconditionFailed: `If-Match` or `If-Unmodified-Since` does not hold.
        RangeNotSatisfiable: nothing of the range is in the block.
    """
    if unchanged := check_preconditions(request, source):
        return unchanged.plus(_vary(request))
    name = request.filename or f"{source.roots[-1]}{_EXTENSIONS[format_]}"
    is_attachment = format_ not in _TEXTS or request.download
    head = (
        *source_fields(request, source),
        *_vary(request),
        ACCEPT_RANGES,
        (b"content-disposition", content_disposition(name, is_attachment=is_attachment)),
        NOSNIFF,
    )
    content_type = media_type(format_)
    answer = answer_ranges(request, head, source.etag, len(data), content_type)
    if isinstance(answer.body, BodyFile | BodyParts):
        return Answer(answer.status, answer.headers, BodyBytes(cut(answer.body, data)))
    return answer


def preview_answer(request: GatewayRequest, source: Source, page: Headers, data: bytes) -> Answer:
    """Answer with the preview page of a document.

    Args:
        request: the request.
        source: the document; `is_generated` is set.
        page: header fields of the page, such as its Content-Security-Policy.
        data: the HTML of the page.
    """
    if unchanged := check_preconditions(request, source):
        return unchanged.plus((_VARY,))
    headers = (
        *source_fields(request, source),
        _VARY,
        (b"content-type", b"text/html"),
        (b"content-length", b"%d" % len(data)),
        NOSNIFF,
        *page,
    )
    return Answer(200, headers, NO_BODY if request.is_head else BodyBytes(data))


def _vary(request: GatewayRequest) -> Headers:
    """Return `Vary: Accept` where browsers get a preview page from the same URL."""
    return (_VARY,) if request.format is ResponseFormat.UNIXFS else ()
