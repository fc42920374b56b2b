"""Any text is bytes in some base or a GatewayError, and no two texts of a base mean the same."""

from collections.abc import Callable

from gateway.content.multibase import (
    decode_multibase,
    encode_base32,
    encode_base36,
    encode_base58,
)
from gateway.errors import GatewayError

ENCODERS: dict[str, Callable[[bytes], str]] = {
    "b": encode_base32,
    "k": encode_base36,
    "z": encode_base58,
    "f": lambda data: data.hex(),
    "B": lambda data: encode_base32(data).upper(),
    "K": lambda data: encode_base36(data).upper(),
    "F": lambda data: data.hex().upper(),
}


def check(data: bytes) -> None:
    """Read `data` as text, with lone surrogates for what is not UTF-8."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        value = decode_multibase(text)
    except GatewayError:
        return
    encode = ENCODERS.get(text[0])
    assert encode is None or text[0] + encode(value) == text


if __name__ == "__main__":
    from harness import fuzz  # type: ignore[import-not-found]  # beside this file

    fuzz(check)
