"""What is told of a block before it is decoded (issue 12, 20)."""

import pytest

from gateway.content.cid import CBOR, DAG_CBOR, DAG_PB, RAW, sha256_cid
from gateway.content.dag_pb import PBLink, PBNode, encode_node
from gateway.content.effort import LONG_BYTES, is_at_hand, is_long
from gateway.content.unixfs import open_entity
from gateway.content.unixfs_message import UnixFs, UnixFsType, encode_unixfs
from tests.fakes.blocks import block_of

SIZE = 4 * LONG_BYTES
DIGEST = bytes(32)
LINKS = (PBLink(sha256_cid(RAW, DIGEST).encode(), "", 1),) * 2000
FILE = UnixFs(UnixFsType.FILE, data=bytes(SIZE), filesize=SIZE)
DIRECTORY = encode_unixfs(UnixFs(UnixFsType.DIRECTORY))


@pytest.mark.parametrize(
    ("codec", "data", "expected"),
    [
        pytest.param(DAG_PB, encode_node(PBNode(LINKS, DIRECTORY)), True, id="links"),
        pytest.param(DAG_PB, encode_node(PBNode((), encode_unixfs(FILE))), False, id="leaf"),
        pytest.param(DAG_PB, b"\x0a" + b"\xff" * SIZE, True, id="a-length-that-does-not-end"),
        pytest.param(DAG_PB, b"\x0a\x09\x08\x02\x12" + b"\xff" * SIZE, False, id="nor-does-this"),
        pytest.param(
            DAG_PB, encode_node(PBNode((), b"\x08\x02" + b"\x20\x01" * SIZE)), True, id="sizes"
        ),
        pytest.param(DAG_CBOR, bytes(SIZE), True, id="document"),
        pytest.param(DAG_CBOR, bytes(LONG_BYTES), False, id="small-document"),
        pytest.param(CBOR, bytes(SIZE), False, id="nothing-in-it-is-looked-at"),
        pytest.param(RAW, bytes(SIZE), False, id="raw"),
    ],
)
def test_what_takes_long_is_told_from_the_bytes(codec: int, data: bytes, *, expected: bool) -> None:
    assert is_long(sha256_cid(codec, DIGEST), data) is expected


def test_what_was_opened_is_at_hand() -> None:
    block = block_of(encode_node(PBNode(LINKS, DIRECTORY)), DAG_PB)
    assert not is_at_hand(block)
    open_entity(block)
    assert is_at_hand(block)
