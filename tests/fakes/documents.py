"""Documents for tests: values of the IPLD data model, written in either codec."""

import base64
import json
import struct

from gateway.content.cbor import (
    ARRAY,
    BYTES,
    MAP,
    NEGATIVE,
    TAG,
    TEXT,
    UNSIGNED,
    encode_head,
)
from gateway.content.cid import Cid
from gateway.content.ipld import Value

_NAMED = {False: b"\xf4", True: b"\xf5", None: b"\xf6"}


def encode_cbor(value: Value) -> bytes:
    """Write DAG-CBOR; keys stay in their order."""
    encoded = b""
    match value:
        case bool() | None:
            encoded = _NAMED[value]
        case Cid():
            encoded = encode_head(TAG, 42) + encode_cbor(b"\0" + value.encode())
        case bytes():
            encoded = encode_head(BYTES, len(value)) + value
        case str():
            data = value.encode("utf-8", "surrogateescape")
            encoded = encode_head(TEXT, len(data)) + data
        case int():
            encoded = encode_head(UNSIGNED, value) if value >= 0 else encode_head(NEGATIVE, ~value)
        case float():
            encoded = b"\xfb" + struct.pack(">d", value)
        case list():
            encoded = encode_head(ARRAY, len(value)) + b"".join(map(encode_cbor, value))
        case dict():
            pairs = [encode_cbor(key) + encode_cbor(held) for key, held in value.items()]
            encoded = encode_head(MAP, len(value)) + b"".join(pairs)
    return encoded


def encode_json(value: Value) -> bytes:
    """Write DAG-JSON."""
    return json.dumps(_plain(value), ensure_ascii=False).encode()


def _plain(value: Value) -> object:
    match value:
        case Cid():
            return {"/": str(value)}
        case bytes():
            return {"/": {"bytes": base64.b64encode(value).decode().rstrip("=")}}
        case list():
            return [_plain(held) for held in value]
        case dict():
            return {key: _plain(held) for key, held in value.items()}
        case _:
            return value
