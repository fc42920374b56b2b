"""The encoding of IPNS records: a protobuf message that contains signed DAG-CBOR data.

https://specs.ipfs.tech/ipns/ipns-record/#ipns-record. The fields of the message are the older form
(V1), which is not signed any more: they may be present for old readers, and must then equal the
signed data (V2).
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from gateway.content.cbor import ARRAY, BYTES, MAP, NEGATIVE, TAG, TEXT, UNSIGNED, decode_head
from gateway.content.dag_cbor import find_links
from gateway.content.protobuf import BYTES as PROTOBUF_BYTES
from gateway.content.protobuf import VARINT, Field, decode_field
from gateway.errors import BadBlock, BadRecord

_VALUE, _SIGNATURE_V1, _VALIDITY_TYPE, _VALIDITY, _SEQUENCE, _TTL = range(1, 7)
_PUBLIC_KEY, _SIGNATURE_V2, _DATA = range(7, 10)
_NUMBERS: Final = frozenset({_VALIDITY_TYPE, _SEQUENCE, _TTL})
_OLD: Final = frozenset(range(_VALUE, _TTL + 1))
_UINT64: Final = 1 << 64


class Message(NamedTuple):
    """The protobuf message; missing fields are empty or 0."""

    value: bytes
    validity_type: int
    validity: bytes
    sequence: int
    ttl: int
    public_key: bytes
    signature: bytes
    """Signature of the data (V2). The older signature is never used."""
    data: bytes
    is_old_form_used: bool
    """Whether any field of the older form is present, its signature included."""


class Data(NamedTuple):
    """The signed data."""

    value: bytes
    validity_type: int
    validity: bytes
    sequence: int
    """A uint64."""
    ttl_ns: int | None
    """Nanoseconds as written, possibly zero, negative or huge; None without one."""


def decode_message(raw: bytes) -> Message:
    """Decode the protobuf message of a record; unknown fields are skipped.

    Raises:
        BadRecord: not a protobuf message, or a field is repeated or of another type.
    """
    fields: dict[int, Field] = {}
    position = 0
    try:
        while position < len(raw):
            field = decode_field(raw, position)
            position = field.end
            if field.number > _DATA:
                continue
            if field.number in fields:
                raise BadRecord(f"its field {field.number} comes twice")
            if field.wire != (VARINT if field.number in _NUMBERS else PROTOBUF_BYTES):
                raise BadRecord(f"its field {field.number} is of another type")
            fields[field.number] = field
    except BadBlock as exc:
        raise BadRecord("it is not a protobuf message") from exc
    return _message_of(fields)


def _message_of(fields: Mapping[int, Field]) -> Message:
    def data(number: int) -> bytes:
        return fields[number].data if number in fields else b""

    def value(number: int) -> int:
        return fields[number].value if number in fields else 0

    return Message(
        data(_VALUE),
        value(_VALIDITY_TYPE),
        data(_VALIDITY),
        value(_SEQUENCE),
        value(_TTL),
        data(_PUBLIC_KEY),
        data(_SIGNATURE_V2),
        data(_DATA),
        not _OLD.isdisjoint(fields),
    )


def decode_data(data: bytes) -> Data:
    """Decode the signed data. The order of keys is free, and unknown keys are skipped.

    Raises:
        BadRecord: not a DAG-CBOR map, or a key is repeated, missing or of another type.
    """
    try:
        find_links(data)  # checks that it is one whole item whose keys are text and differ
        values = _split_map(data)
        return Data(
            _get_bytes(data, values, "Value"),
            _get_unsigned(data, values, "ValidityType"),
            _get_bytes(data, values, "Validity"),
            _get_unsigned(data, values, "Sequence"),
            _find_integer(data, values, "TTL"),
        )
    except BadBlock as exc:
        raise BadRecord(f"its data is not DAG-CBOR: {exc.reason}") from exc


def _split_map(data: bytes) -> dict[bytes, int]:
    """Return the offset of each value of a map by its key."""
    major, count, position = decode_head(data, 0)
    if major != MAP:
        raise BadRecord("its data is not a map")
    values: dict[bytes, int] = {}
    for _ in range(count):
        _, size, start = decode_head(data, position)
        values[data[start : start + size]] = start + size
        position = _skip(data, start + size)
    return values


def _skip(data: bytes, position: int) -> int:
    """Return the end of an item, in data that was checked to be whole."""
    missing = 1
    while missing:
        major, value, position = decode_head(data, position)
        missing -= 1
        if major in (BYTES, TEXT):
            position += value
        elif major in (ARRAY, MAP):
            missing += value * (1 + (major == MAP))
        elif major == TAG:
            missing += 1
    return position


def _get_bytes(data: bytes, values: Mapping[bytes, int], key: str) -> bytes:
    major, size, start = _get_head(data, values, key)
    if major != BYTES:
        raise BadRecord(f"its {key} is not a byte string")
    return data[start : start + size]


def _get_unsigned(data: bytes, values: Mapping[bytes, int], key: str) -> int:
    major, value, _ = _get_head(data, values, key)
    if major != UNSIGNED:
        raise BadRecord(f"its {key} is not an unsigned integer")
    return value


def _find_integer(data: bytes, values: Mapping[bytes, int], key: str) -> int | None:
    if key.encode() not in values:
        return None
    major, value, _ = _get_head(data, values, key)
    if major not in (UNSIGNED, NEGATIVE):
        raise BadRecord(f"its {key} is not an integer")
    return value if major == UNSIGNED else -1 - value


def _get_head(data: bytes, values: Mapping[bytes, int], key: str) -> tuple[int, int, int]:
    start = values.get(key.encode())
    if start is None:
        raise BadRecord(f"its data has no {key}")
    return decode_head(data, start)


def check_old_form(message: Message, data: Data) -> None:
    """Check that the unsigned fields of a message equal the signed data.

    Raises:
        BadRecord: a field differs; the error names the first.
    """
    pairs = (
        ("value", message.value, data.value),
        ("validity type", message.validity_type, data.validity_type),
        ("validity", message.validity, data.validity),
        ("sequence", message.sequence, data.sequence),
        ("TTL", message.ttl, (data.ttl_ns or 0) % _UINT64),
    )
    for name, old, signed in pairs:
        if old != signed:
            raise BadRecord(f"its unsigned {name} differs from the signed one")
