from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content import dag_json
from gateway.content.cbor import ARRAY, BYTES, MAP, TAG, TEXT, UNSIGNED, encode_head
from gateway.content.cid import Cid
from gateway.content.dag_cbor import MAX_DEPTH, MAX_ITEMS, find_links
from gateway.errors import BadBlock
from tests.fakes.car_data import DATA, read_car
from tests.strategies import cids

Value = Cid | bytes | str | int | None | list["Value"] | dict[str, "Value"]

values = st.recursive(
    cids() | st.binary(max_size=4) | st.text(max_size=4) | st.integers(0, 2**64 - 1) | st.none(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
)


def encode(value: Value) -> bytes:
    match value:
        case Cid():
            encoded = encode_head(TAG, 42) + encode(b"\0" + value.encode())
        case bytes():
            encoded = encode_head(BYTES, len(value)) + value
        case str():
            encoded = encode_head(TEXT, len(value.encode())) + value.encode()
        case int():
            encoded = encode_head(UNSIGNED, value)
        case list():
            encoded = encode_head(ARRAY, len(value)) + b"".join(map(encode, value))
        case dict():
            pairs = [encode(key) + encode(held) for key, held in value.items()]
            encoded = encode_head(MAP, len(value)) + b"".join(pairs)
        case _:
            encoded = b"\xf6"
    return encoded


def links_of(value: Value) -> list[Cid]:
    if isinstance(value, Cid):
        return [value]
    if isinstance(value, dict):
        return links_of(list(value.values()))
    if isinstance(value, list):
        return [link for held in value for link in links_of(held)]
    return []


@given(values)
def test_links_are_found_in_order(value: Value) -> None:
    assert list(find_links(encode(value))) == links_of(value)


@given(st.binary(max_size=40))
def test_any_bytes_have_links_or_are_a_bad_block(data: bytes) -> None:
    try:
        find_links(data)
    except BadBlock:
        return


def both_forms() -> list[Path]:
    return sorted((DATA / "codec-fixtures").glob("*/*.dag-cbor"))


def outcome(find: Callable[[bytes], tuple[Cid, ...]], path: Path) -> list[str]:
    """Return the links of a file, without their order: the codecs sort keys differently."""
    try:
        return sorted(map(str, find(path.read_bytes())))
    except BadBlock:
        return ["bad block"]


@pytest.mark.parametrize("path", both_forms(), ids=lambda path: path.parent.name)
def test_fixture_has_the_same_links_in_both_codecs(path: Path) -> None:
    (other,) = path.parent.glob("*.dag-json")

    assert outcome(find_links, path) == outcome(dag_json.find_links, other)


def test_floats_of_any_width_and_named_values_are_passed_over() -> None:
    data = "88 f93c00 fa3f800000 fb3ff0000000000000 f4 f5 f6 20 3903e7"

    assert find_links(bytes.fromhex(data)) == ()


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
    with pytest.raises(BadBlock, match=reason):
        find_links(bytes.fromhex(data))


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
