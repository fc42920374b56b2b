"""Any text or bytes are a CID or a GatewayError, and every form of a CID gives the same value."""

from gateway.content.cid import decode_cid, parse_cid
from gateway.errors import GatewayError


def check(data: bytes) -> None:
    """Read `data` as a binary CID and as the text of one."""
    try:
        cid, end = decode_cid(data)
    except GatewayError:
        pass
    else:
        assert cid.encode() == data[:end]
        assert parse_cid(str(cid)) == cid
    try:
        cid = parse_cid(data.decode("utf-8", "replace"))
    except GatewayError:
        return
    assert parse_cid(str(cid)) == cid
    assert decode_cid(cid.encode()) == (cid, len(cid.encode()))


if __name__ == "__main__":
    from harness import fuzz  # type: ignore[import-not-found]  # beside this file

    fuzz(check)
