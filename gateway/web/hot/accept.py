"""Recognises the common values of `Accept` without parsing them.

`gateway.protocol.formats` parses all values; here only those that most clients send are known.
"""

from typing import Final

from gateway.protocol.formats import ResponseFormat, media_type

RAW_TYPE: Final = media_type(ResponseFormat.RAW)
"""The exact value that trustless clients send."""
_BY_ACCEPT: Final = RAW_TYPE + b" "  # no target and no host has a blank in it
_FORMAT_WORDS: Final = (b"vnd.", b"application/json", b"application/cbor", b"application/x-tar")


def accepts_default(accept: bytes) -> bool:
    """Return whether an Accept value certainly leaves the choice of the format to the gateway."""
    if accept in (b"", b"*/*"):
        return True
    if accept.startswith((b"text/html", b"image/")):  # browsers; no format word in any of them
        lowered = accept.lower()
        return not any(word in lowered for word in _FORMAT_WORDS)
    return False


def raw_key(key: bytes) -> bytes:
    """Return the key of the raw block that `Accept` alone selects, given the `key` of the file."""
    return _BY_ACCEPT + key
