"""Answers with a signed IPNS record, which clients verify themselves.

https://specs.ipfs.tech/http-gateways/trustless-gateway/ (`format=ipns-record`) and
https://specs.ipfs.tech/routing/http-routing-v1/#ipns-api.
"""

import hashlib

from gateway.content.cid import Cid
from gateway.protocol.answer import (
    NO_BODY,
    Answer,
    BodyBytes,
    Source,
    check_preconditions,
    source_fields,
)
from gateway.protocol.disposition import content_disposition
from gateway.protocol.formats import ResponseFormat, media_type
from gateway.protocol.freshness import mutable_freshness
from gateway.protocol.headers import NOSNIFF
from gateway.protocol.request import GatewayRequest


def record_answer(request: GatewayRequest, key: Cid, data: bytes, max_age_s: int) -> Answer:
    """Answer with a record.

    Args:
        request: the request for `/ipns/{key}`.
        key: the IPNS name.
        data: the verified record.
        max_age_s: seconds for which caches may keep the answer.

    Raises:
        PreconditionFailed: `If-Match` does not hold.
    """
    request = request._replace(freshness=mutable_freshness(max_age_s))
    tag = hashlib.blake2b(data, digest_size=16).hexdigest().encode("ascii")
    source = Source(b'"%b"' % tag, (key,))
    if unchanged := check_preconditions(request, source):
        return unchanged
    name = request.filename or f"{key}.ipns-record"
    headers = (
        *source_fields(request, source),
        (b"content-type", media_type(ResponseFormat.IPNS_RECORD)),
        (b"content-length", b"%d" % len(data)),
        (b"content-disposition", content_disposition(name, is_attachment=True)),
        NOSNIFF,
    )
    return Answer(200, headers, NO_BODY if request.is_head else BodyBytes(data))
