import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.car_header import decode_header, encode_header
from gateway.content.cid import Cid, parse_cid
from gateway.errors import BadCar
from tests.refusal import check_refused
from tests.strategies import cids

ROOT = parse_cid("bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku")
LINK = b"\xd8\x2a\x58\x25\0" + ROOT.encode()
ROOTS = b"\x65roots"
VERSION = b"\x67version"


@given(st.lists(cids(), max_size=30))
def test_decode_undoes_encode(roots: list[Cid]) -> None:
    assert decode_header(encode_header(roots)) == tuple(roots)


def test_header_is_canonical_dag_cbor() -> None:
    assert encode_header([ROOT]) == b"\xa2" + ROOTS + b"\x81" + LINK + VERSION + b"\x01"


def test_many_roots_are_counted_in_two_bytes() -> None:
    assert encode_header([ROOT] * 300)[7:10] == b"\x99\x01\x2c"


def test_keys_may_stand_in_either_order() -> None:
    assert decode_header(b"\xa2" + VERSION + b"\x01" + ROOTS + b"\x81" + LINK) == (ROOT,)


def test_cidv0_may_be_a_root() -> None:
    root = parse_cid("QmYhmPjhFjYFyaoiuNzYv8WGavpSRDwdHWe5B4M5du5Rtk")

    assert decode_header(encode_header([root])) == (root,)


def header(roots: bytes, version: bytes = b"\x01", entries: int = 2) -> bytes:
    return bytes([0xA0 + entries]) + ROOTS + roots + VERSION + version


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "does not end", id="empty"),
        pytest.param(b"\x80", "CBOR type 4, not 5", id="list"),
        pytest.param(b"html", "CBOR type 3, not 5", id="html"),
        pytest.param(b"\xa0", "version is None", id="empty-map"),
        pytest.param(b"\xa1" + VERSION + b"\x01", "no roots", id="no-roots"),
        pytest.param(b"\xa1" + ROOTS + b"\x80", "version is None", id="no-version"),
        pytest.param(b"\xa1" + VERSION + b"\x02", "version is 2, not 1", id="version-2"),
        pytest.param(header(b"\x80", b"\x00"), "version is 0, not 1", id="version-0"),
        pytest.param(header(b"\x80", b"\x18\x2a"), "version is 42, not 1", id="version-42"),
        pytest.param(header(b"\x80", b"\x20"), "CBOR type 1, not 0", id="version-negative"),
        pytest.param(header(b"\x80", b"\xfb" + bytes(8)), "type 7", id="version-float"),
        pytest.param(
            b"\xa3" + ROOTS + b"\x80" + VERSION + b"\x01" + b"\x61x\x00",
            "unknown or repeated key b'x'",
            id="another-key",
        ),
        pytest.param(
            b"\xa3" + ROOTS + b"\x80" + ROOTS + b"\x80" + VERSION + b"\x01",
            "unknown or repeated key b'roots'",
            id="roots-twice",
        ),
        pytest.param(
            b"\xa3" + VERSION + b"\x01" + VERSION + b"\x01" + ROOTS + b"\x80",
            "unknown or repeated key b'version'",
            id="version-twice",
        ),
        pytest.param(header(b"\x80") + b"\x00", "1 bytes follow the map", id="trailing-byte"),
        pytest.param(header(b"\x80")[:-1], "does not end", id="cut-short"),
        pytest.param(header(b"\x9f\xff"), "no definite length", id="indefinite-list"),
        pytest.param(b"\xbf" + ROOTS + b"\x80", "no definite length", id="indefinite-map"),
        pytest.param(header(b"\x98\x01" + LINK), "not in its shortest form", id="long-count"),
        pytest.param(header(b"\x9b" + b"\xff" * 8), "CBOR type 3, not 6", id="huge-count"),
        pytest.param(header(b"\x99\xff"), "type 3", id="count-eats-the-key"),
        pytest.param(b"\xa2" + ROOTS + b"\x99\x01", "does not end", id="count-cut-short"),
        pytest.param(b"\xa2\x79\xff\xff", "does not end", id="huge-key"),
        pytest.param(header(b"\x81" + LINK[2:]), "CBOR type 2, not 6", id="bytes-root"),
        pytest.param(header(b"\x81\xc1\x01"), "CBOR type 0, not 2", id="number-root"),
        pytest.param(header(b"\x81\xd8\x2b" + LINK[2:]), "not a link", id="other-tag"),
        pytest.param(header(b"\x81\xd8\x2a\x40"), "not a link", id="empty-link"),
        pytest.param(header(b"\x81\xd8\x2a\x42\x01\x55"), "not a link", id="link-without-zero"),
        pytest.param(
            header(b"\x81\xd8\x2a\x43\0\x01\x55"), "a root in its header is an", id="not-a-cid"
        ),
        pytest.param(
            header(b"\x81\xd8\x2a\x58\x26\0" + ROOT.encode() + b"!"),
            "1 bytes follow a root",
            id="bytes-after-cid",
        ),
    ],
)
def test_header_is_refused(data: bytes, reason: str) -> None:
    check_refused(BadCar, reason, decode_header, data)
