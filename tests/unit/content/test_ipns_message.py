"""The two forms of a record inside each other."""

import pytest

from gateway.content.ipns_message import Data, check_old_form, decode_data, decode_message
from gateway.errors import BadRecord
from tests.fakes.ipns_forge import (
    FOREVER,
    HELLO,
    MINUTE_NS,
    Item,
    cbor_map,
    field,
    item,
    old_fields,
    owner,
)
from tests.refusal import check_refused

OWNER = owner()
DATA = OWNER.data()
HONEST: dict[str, Item] = {
    "Value": HELLO,
    "Validity": FOREVER,
    "ValidityType": 0,
    "Sequence": 7,
    "TTL": 9,
}


def test_a_message_is_its_fields() -> None:
    message = decode_message(old_fields(sequence=9) + field(7, b"key") + field(9, b"data"))
    assert message == (HELLO, 0, FOREVER, 9, 5 * MINUTE_NS, b"key", b"", b"data", True)


@pytest.mark.parametrize("number", range(1, 7))
def test_any_older_field_counts(number: int) -> None:
    raw = field(number, b"" if number in (1, 2, 4) else 0)
    assert decode_message(raw).is_old_form_used


def test_unknown_fields_are_passed_over() -> None:
    message = decode_message(field(10, b"x") + field(10, b"y") + field(8, b"signed"))
    assert (message.signature, message.is_old_form_used) == (b"signed", False)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        pytest.param(b"\xff", "not a protobuf message", id="garbage"),
        pytest.param(field(9, b"data")[:-1], "not a protobuf message", id="cut"),
        pytest.param(field(9, b"a") + field(9, b"b"), "field 9 comes twice", id="twice"),
        pytest.param(field(9, 1), "field 9 is of another type", id="number-for-bytes"),
        pytest.param(field(5, b"1"), "field 5 is of another type", id="bytes-for-number"),
    ],
)
def test_a_message_that_is_none_is_refused(raw: bytes, reason: str) -> None:
    check_refused(BadRecord, reason, decode_message, raw)


def test_data_is_a_map() -> None:
    assert decode_data(cbor_map(HONEST)) == Data(HELLO, 0, FOREVER, 7, 9)


@pytest.mark.parametrize(
    ("ttl", "nanoseconds"),
    [
        pytest.param(None, None, id="none"),
        pytest.param(0, 0, id="zero"),
        pytest.param(-1, -1, id="negative"),
        pytest.param(2**63, 2**63, id="absurd"),
        pytest.param(-(2**64), -(2**64), id="absurd-negative"),
    ],
)
def test_a_ttl_is_read_as_it_is_written(ttl: int | None, nanoseconds: int | None) -> None:
    assert decode_data(OWNER.data(TTL=ttl)).ttl_ns == nanoseconds


def test_keys_in_any_order_and_of_any_kind_are_passed_over() -> None:
    nested = b"\xa1aa\x82\x81\xf6\xd8\x2aX\x25\x00" + bytes.fromhex("01551220") + bytes(32)
    pairs = [b"\x62zz" + nested, b"\x62_a\x63abc", b"\x62_b\xfb" + bytes(8)]
    pairs += [
        bytes((0x60 | len(key),)) + key.encode() + item(value) for key, value in HONEST.items()
    ]
    data = bytes((0xA0 | len(pairs),)) + b"".join(pairs)
    assert decode_data(data) == Data(HELLO, 0, FOREVER, 7, 9)


def without(key: str) -> bytes:
    return cbor_map({name: value for name, value in HONEST.items() if name != key})


def but(**more: Item) -> bytes:
    return cbor_map(HONEST | more)


TWICE = b"\xa2\x65Value\x40\x65Value\x40"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "not DAG-CBOR", id="empty"),
        pytest.param(DATA[:-1], "not DAG-CBOR", id="cut"),
        pytest.param(DATA + b"\0", "not DAG-CBOR", id="more"),
        pytest.param(b"\xbf\xff", "not DAG-CBOR", id="indefinite"),
        pytest.param(b"\xa1\x01\x01", "not DAG-CBOR", id="key-of-a-number"),
        pytest.param(b"\x80", "not a map", id="list"),
        pytest.param(TWICE, "key stands twice", id="twice"),
        pytest.param(without("Value"), "has no Value", id="no-value"),
        pytest.param(without("Validity"), "has no Validity", id="no-validity"),
        pytest.param(without("ValidityType"), "has no ValidityType", id="no-type"),
        pytest.param(without("Sequence"), "has no Sequence", id="no-sequence"),
        pytest.param(but(Value=1), "Value is not a byte string", id="value-of-a-number"),
        pytest.param(but(Sequence=-1), "Sequence is not an unsigned", id="negative-sequence"),
        pytest.param(but(Sequence=b"1"), "Sequence is not an unsigned", id="sequence-of-bytes"),
        pytest.param(but(TTL=b"1"), "TTL is not an integer", id="ttl-of-bytes"),
    ],
)
def test_data_that_is_none_is_refused(data: bytes, reason: str) -> None:
    check_refused(BadRecord, reason, decode_data, data)


@pytest.mark.parametrize(
    ("old", "signed"),
    [
        pytest.param(old_fields(), OWNER.data(), id="honest"),
        pytest.param(old_fields(sequence=2**64 - 1), OWNER.data(sequence=2**64 - 1), id="max"),
        pytest.param(old_fields(ttl=2**64 - 5), OWNER.data(TTL=-5), id="negative-ttl"),
        pytest.param(old_fields(ttl=0), OWNER.data(TTL=None), id="no-ttl"),
    ],
)
def test_an_older_form_that_says_the_same_is_taken(old: bytes, signed: bytes) -> None:
    check_old_form(decode_message(old), decode_data(signed))


@pytest.mark.parametrize(
    ("old", "reason"),
    [
        pytest.param(old_fields(value=b"/ipfs/other"), "value", id="value"),
        pytest.param(old_fields(validity_type=1), "validity type", id="type"),
        pytest.param(old_fields(validity=b"2098-01-01T00:00:00Z"), "validity ", id="end"),
        pytest.param(old_fields(sequence=2), "sequence", id="sequence"),
        pytest.param(old_fields(ttl=1), "TTL", id="ttl"),
        pytest.param(field(2, b"a signature alone"), "value", id="signature-alone"),
        pytest.param(field(5, 1), "value", id="sequence-alone"),
    ],
)
def test_an_older_form_that_says_something_else_is_refused(old: bytes, reason: str) -> None:
    check_refused(
        BadRecord,
        f"unsigned {reason}",
        check_old_form,
        decode_message(old),
        decode_data(DATA),
    )
