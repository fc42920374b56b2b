import math
from collections.abc import Callable
from pathlib import Path

import dag_cbor
import multiformats
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content import dag_json
from gateway.content.cbor import ARRAY, encode_head
from gateway.content.cid import Cid, parse_cid
from gateway.content.dag_cbor import decode, find_links
from gateway.content.ipld import MAX_DEPTH, MAX_ITEMS, Value
from gateway.errors import BadBlock, BadCid
from tests.fakes.car_data import DATA, read_car
from tests.fakes.documents import encode_cbor
from tests.refusal import check_refused
from tests.strategies import values


@given(values)
def test_what_was_encoded_is_decoded(value: Value) -> None:
    assert decode(encode_cbor(value)) == value


@given(st.binary(max_size=40))
def test_any_bytes_are_a_value_or_a_bad_block(data: bytes) -> None:
    try:
        decode(data)
    except BadBlock:
        return


def both_forms() -> list[Path]:
    return sorted((DATA / "codec-fixtures").glob("*/*.dag-cbor"))


def without_order(value: Value) -> Value:
    """Sort the keys: the codecs do it differently."""
    if isinstance(value, dict):
        return {key: without_order(value[key]) for key in sorted(value)}
    return [without_order(held) for held in value] if isinstance(value, list) else value


def outcome(read: Callable[[bytes], Value], path: Path) -> Value:
    try:
        return without_order(read(path.read_bytes()))
    except (BadBlock, BadCid):  # one fixture has a link of a hash that we do not know
        return "bad block"


@pytest.mark.parametrize("path", both_forms(), ids=lambda path: path.parent.name)
def test_fixture_is_the_same_value_in_both_codecs(path: Path) -> None:
    (other,) = path.parent.glob("*.dag-json")

    assert outcome(decode, path) == outcome(dag_json.decode, other)


@pytest.mark.parametrize("path", both_forms(), ids=lambda path: path.parent.name)
def test_fixture_is_the_value_that_another_implementation_reads(path: Path) -> None:
    def read(data: bytes) -> Value:
        return foreign(dag_cbor.decode(data))

    assert outcome(decode, path) == outcome(read, path)


def foreign(value: object) -> Value:
    """Return the value of another implementation as one of ours."""
    if isinstance(value, dict):
        return {str(key): foreign(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [foreign(held) for held in value]
    if isinstance(value, multiformats.CID):
        return parse_cid(str(value))
    assert value is None or isinstance(value, bool | int | float | str | bytes)
    return value


@pytest.mark.parametrize(
    ("data", "value"),
    [
        pytest.param("f93c00", 1.0, id="half-float"),
        pytest.param("fa3f800000", 1.0, id="single-float"),
        pytest.param("fb3ff0000000000000", 1.0, id="float"),
        pytest.param("fb8000000000000000", -0.0, id="minus-zero"),
        pytest.param("f4", False, id="false"),
        pytest.param("f5", True, id="true"),
        pytest.param("f6", None, id="null"),
        pytest.param("20", -1, id="negative"),
        pytest.param("3bffffffffffffffff", -(2**64), id="least"),
        pytest.param("1bffffffffffffffff", 2**64 - 1, id="greatest"),
        pytest.param("1b0000000000000001", 1, id="longer-than-needed"),
        pytest.param("4100", b"\0", id="bytes"),
        pytest.param("61ff", "\udcff", id="text-that-is-not-utf8"),
        pytest.param("a2616201616102", {"b": 1, "a": 2}, id="keys-in-any-order"),
        pytest.param("a161 61 80", {"a": []}, id="empty-array"),
        pytest.param("82 a0 a0", [{}, {}], id="empty-maps"),
    ],
)
def test_item_has_its_value(data: str, value: Value) -> None:
    found = decode(bytes.fromhex(data))

    assert (found, type(found)) == (value, type(value))


def test_the_sign_of_zero_is_kept() -> None:
    zero = decode(bytes.fromhex("fb8000000000000000"))

    assert isinstance(zero, float)
    assert math.copysign(1, zero) == -1


def test_link_of_the_conformance_fixture_is_found() -> None:
    car = read_car("gateway-conformance/path_gateway_dag/dag-cbor-traversal.car")
    (link,) = find_links(car.blocks[car.root.multihash].data)

    assert str(link) == "bafyreig5alecq2l2akgajxywgnv22kuxh6xcagsnelepylqovt4t5jxt6u"


LINK = "d82a 45 00 01 55 00 00"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param("", "an item does not end", id="nothing"),
        pytest.param("81", "an item does not end", id="array-cut-short"),
        pytest.param("9bffffffffffffffff", "an item does not end", id="huge-array"),
        pytest.param("bbffffffffffffffff", "an item does not end", id="huge-map"),
        pytest.param("6361", "a string does not end", id="text-cut-short"),
        pytest.param("5bffffffffffffffff", "a string does not end", id="huge-bytes"),
        pytest.param("0000", "1 bytes follow the item", id="two-items"),
        pytest.param("9fff", "no definite length", id="indefinite"),
        pytest.param("a10000", "a key of major type 0", id="number-as-key"),
        pytest.param("a1 " + LINK + "00", "a key of major type 6", id="link-as-key"),
        pytest.param("c100", "the tag 1", id="other-tag"),
        pytest.param("f7", "the simple value 23", id="undefined"),
        pytest.param("f8ff", "the simple value 255", id="simple-value"),
        pytest.param("f814", "the simple value 20", id="false-in-two-bytes"),
        pytest.param("ff", "no definite length", id="break-alone"),
        pytest.param("c249010000000000000000", "the tag 2", id="bignum"),
        pytest.param("d81c00", "the tag 28", id="shared-value"),
        pytest.param("d9d9f700", "the tag 55799", id="self-described"),
        pytest.param("d82a c0 00", "no CID behind a zero byte", id="tag-in-a-link"),
        pytest.param("f97e00", "the number nan", id="nan"),
        pytest.param("fa7f800000", "the number inf", id="infinity"),
        pytest.param("fbfff0000000000000", "the number -inf", id="minus-infinity"),
        pytest.param("a2616100616101", "a key stands twice", id="key-twice"),
        pytest.param("a161610000", "1 bytes follow the item", id="more-than-the-map"),
        pytest.param("a16161", "an item does not end", id="key-without-value"),
        pytest.param("d82a 00", "no CID behind a zero byte", id="number-as-link"),
        pytest.param("d82a 40", "no CID behind a zero byte", id="empty-link"),
        pytest.param("d82a 44 01550000", "no CID behind a zero byte", id="link-without-zero"),
        pytest.param("d82a 4500", "a string does not end", id="link-cut-short"),
        pytest.param("d82a", "an item does not end", id="tag-alone"),
        pytest.param("d82a 42 0001", "a link: invalid CID", id="no-cid"),
        pytest.param("d82a 46 00 01 55 00 00 00", "1 bytes follow the CID", id="bytes-behind"),
    ],
)
def test_malformed_block_is_refused(data: str, reason: str) -> None:
    check_refused(BadBlock, reason, decode, bytes.fromhex(data))


def test_identity_links_are_links() -> None:
    assert find_links(bytes.fromhex(LINK)) == (Cid(1, 0x55, b"\0\0"),)


def test_depth_is_limited() -> None:
    assert find_links(b"\x81" * MAX_DEPTH + b"\0") == ()
    with pytest.raises(BadBlock, match="more than 128 levels deep"):
        find_links(b"\x81" * (MAX_DEPTH + 1) + b"\0")


def test_items_are_limited() -> None:
    assert find_links(encode_head(ARRAY, MAX_ITEMS - 2) + bytes(MAX_ITEMS - 2)) == ()
    with pytest.raises(BadBlock, match="more than 100000 items"):
        find_links(encode_head(ARRAY, MAX_ITEMS) + bytes(MAX_ITEMS))
