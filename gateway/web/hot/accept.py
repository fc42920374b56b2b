"""What an `Accept` value surely means for a finished answer, without parsing it.

`gateway.protocol.formats` knows all of it; here only what most clients send is known.
"""

from typing import Final

from gateway.protocol.formats import ResponseFormat, media_type

RAW_TYPE: Final = media_type(ResponseFormat.RAW)
"""What trustless clients send, to the byte."""
_BY_ACCEPT: Final = RAW_TYPE + b" "  # no target and no host has a blank in it
_FORMAT_WORDS: Final = (b"vnd.", b"application/json", b"application/cbor", b"application/x-tar")


def accepts_default(accept: bytes) -> bool:
    """Tell whether an Accept value surely leaves the format to us."""
    if accept in (b"", b"*/*"):
        return True
    if accept.startswith((b"text/html", b"image/")):  # browsers; no format word in any of them
        lowered = accept.lower()
        return not any(word in lowered for word in _FORMAT_WORDS)
    return False


def raw_key(key: bytes) -> bytes:
    """Return the key of the raw block that `Accept` alone asks for, where `key` is the file's."""
    return _BY_ACCEPT + key
