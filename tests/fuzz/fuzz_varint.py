"""Any bytes are a varint or a GatewayError, and a varint is the one encoding of its value."""

from gateway.content.varint import MAX_BYTES, decode_varint, encode_varint
from gateway.errors import GatewayError


def check(data: bytes) -> None:
    """Read `data` from every offset."""
    for start in range(min(len(data), 16) + 1):
        try:
            value, end = decode_varint(data, start)
        except GatewayError:
            continue
        assert 0 <= value < 1 << 63
        assert start < end <= min(len(data), start + MAX_BYTES)
        assert encode_varint(value) == data[start:end]


if __name__ == "__main__":
    from harness import fuzz  # type: ignore[import-not-found]  # beside this file

    fuzz(check)
