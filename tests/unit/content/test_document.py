import pytest

from gateway.content.cid import DAG_CBOR, DAG_JSON, parse_cid
from gateway.content.document import follow_path, open_document
from gateway.content.ipld import Followed, Value
from gateway.errors import BadBlock, NoSuchLink
from tests.fakes.blocks import block_of
from tests.fakes.documents import encode_cbor, encode_json

VALUE: Value = {"a": [parse_cid("bafkqaaa"), b"\0", -1, 2.5]}
CBOR, JSON = block_of(encode_cbor(VALUE), DAG_CBOR), block_of(encode_json(VALUE), DAG_JSON)


def test_both_codecs_hold_the_same_value() -> None:
    assert open_document(CBOR) == open_document(JSON) == VALUE


def test_path_is_followed_inside_of_a_block() -> None:
    assert follow_path(JSON, ("a", "0", "x")) == Followed(parse_cid("bafkqaaa"), 2)
    with pytest.raises(NoSuchLink, match=f'"b" under {CBOR.cid}'):
        follow_path(CBOR, ("b",))


@pytest.mark.parametrize("codec", [DAG_CBOR, DAG_JSON])
def test_malformed_document_is_named(codec: int) -> None:
    block = block_of(b"", codec)

    with pytest.raises(BadBlock, match=f"malformed .* in block {block.cid}"):
        open_document(block)
