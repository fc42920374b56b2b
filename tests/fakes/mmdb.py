"""A writer of small MaxMind DB files (format 2.0), for schemas that no fixture has."""

import ipaddress
import struct
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Value: TypeAlias = str | int | float | Sequence["Value"] | Mapping[str, "Value"]

_MARKER = b"\xab\xcd\xefMaxMind.com"
_EMPTY = -1
_INTEGERS = {"node_count": 6, "build_epoch": 9}  # 32 and 64 bits, as the format wants them


def write_mmdb(kind: str, records: Mapping[str, Mapping[str, Value]]) -> bytes:
    """Return a database of IPv4 networks.

    Args:
        kind: its `database_type`.
        records: by network, `192.0.2.0/24`; none inside another.
    """
    data = b""
    nodes: list[list[int]] = [[_EMPTY, _EMPTY]]
    leaves: dict[tuple[int, int], int] = {}
    for text, record in records.items():
        leaves[_grow(nodes, ipaddress.IPv4Network(text))] = len(data)
        data += _encode(record)
    tree = b"".join(
        _record(nodes, leaves, number, side) for number in range(len(nodes)) for side in (0, 1)
    )
    metadata: dict[str, Value] = {
        "node_count": len(nodes),
        "record_size": 24,
        "ip_version": 4,
        "database_type": kind,
        "languages": [],
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": 1_700_000_000,
        "description": {},
    }
    return tree + bytes(16) + data + _MARKER + _encode(metadata)


def _grow(nodes: list[list[int]], network: ipaddress.IPv4Network) -> tuple[int, int]:
    """Make the nodes on the way to a network; return the last node and its side."""
    bits = f"{int(network.network_address):032b}"[: network.prefixlen]
    node = 0
    for bit in bits[:-1]:
        if nodes[node][int(bit)] == _EMPTY:
            nodes.append([_EMPTY, _EMPTY])
            nodes[node][int(bit)] = len(nodes) - 1
        node = nodes[node][int(bit)]
    return node, int(bits[-1])


def _record(
    nodes: list[list[int]], leaves: dict[tuple[int, int], int], number: int, side: int
) -> bytes:
    offset = leaves.get((number, side))
    target = nodes[number][side]
    if offset is not None:
        target = len(nodes) + 16 + offset
    elif target == _EMPTY:
        target = len(nodes)
    return target.to_bytes(3, "big")


def _encode(value: Value, integer: int = 5) -> bytes:
    """Encode a value; whole numbers as the type `integer` of the format, 5 for 16 bits."""
    if isinstance(value, str):
        raw = value.encode()
        return _control(2, len(raw)) + raw
    if isinstance(value, float):
        return _control(3, 8) + struct.pack(">d", value)
    if isinstance(value, int):
        raw = value.to_bytes(8, "big").lstrip(b"\0")
        return _control(integer, len(raw)) + raw
    if isinstance(value, Sequence):
        return _control(11, len(value)) + b"".join(map(_encode, value))
    pairs = b"".join(
        _encode(key) + _encode(item, _INTEGERS.get(key, 5)) for key, item in value.items()
    )
    return _control(7, len(value)) + pairs


def _control(kind: int, size: int) -> bytes:
    """Return the control byte, and the one of an extended type; sizes above 28 take one more."""
    head, extra = (size, b"") if size < 29 else (29, bytes([size - 29]))
    if kind < 8:
        return bytes([kind << 5 | head]) + extra
    return bytes([head, kind - 7]) + extra
