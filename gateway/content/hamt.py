"""HAMT directories: names spread over shards by the bits of their hash.

https://specs.ipfs.tech/unixfs/#dag-pb-hamtdirectory. Where its text and existing blocks differ
(order of the bits in the bitfield and in the hash), this module follows the blocks: both were
measured on the specification's own example, the thousand files of
bafybeidbclfqleg2uojchspzd4bob56dqetqjsj27gy2cq3klkkgxtpn4i.
"""

from collections.abc import Iterator

import mmh3

from gateway.content.entry_name import encode_name
from gateway.errors import BadBlock

MURMUR3_X64_64 = 0x22  # multicodec table; the only hash that any writer uses
MIN_FANOUT = 8  # the specification: a multiple of 8
MAX_FANOUT = 1024  # the specification; CVE-2023-23625
HASH_BITS = 64


def hash_name(name: str) -> int:
    """Return the 64-bit hash of an entry's name: the first half of murmur3 x64-128 with seed 0."""
    return mmh3.hash64(encode_name(name), 0, x64arch=True, signed=False)[0]


def check_fanout(fanout: int | None, hash_type: int | None) -> int:
    """Return the fanout after a check that a shard may have it.

    Raises:
        BadBlock: not a power of two from 8 to 1024, or a hash other than murmur3.
    """
    if hash_type != MURMUR3_X64_64:
        raise BadBlock("hamt", f"hash type {hash_type} is not murmur3-x64-64")
    if fanout is None or not MIN_FANOUT <= fanout <= MAX_FANOUT or fanout & (fanout - 1):
        raise BadBlock("hamt", f"fanout {fanout} is not a power of two from 8 to 1024")
    return fanout


def decode_bitfield(bitfield: bytes, fanout: int, links: int) -> int:
    """Decode the occupied slots: bit i of the result is slot i.

    Raises:
        BadBlock: more bits than `fanout`, or not one slot for each of the `links`.
    """
    bits = int.from_bytes(bitfield, "big")
    if len(bitfield) > fanout // 8:
        raise BadBlock("hamt", f"a bitfield of {len(bitfield)} bytes for {fanout} slots")
    if bits.bit_count() != links:
        raise BadBlock("hamt", f"{bits.bit_count()} slots are taken by {links} links")
    return bits


def encode_bitfield(bits: int) -> bytes:
    """Encode the occupied slots: big-endian, without leading zero bytes."""
    return bits.to_bytes((bits.bit_length() + 7) // 8, "big")


def slot_of(hashed: int, level: int, fanout: int) -> int:
    """Return the slot of a hash in a shard `level` levels below the root.

    Raises:
        BadBlock: the hash has no bits left for that level.
    """
    width = fanout.bit_length() - 1
    rest = HASH_BITS - width * (level + 1)
    if rest < 0:
        raise BadBlock("hamt", f"{level + 1} levels of shards are too deep for {fanout} slots")
    return hashed >> rest & (fanout - 1)


def max_levels(fanout: int) -> int:
    """Return the number of levels of shards for which the bits of the hash suffice."""
    return HASH_BITS // (fanout.bit_length() - 1)


def prefix_digits(fanout: int) -> int:
    """Return the number of hex digits of the slot in front of every name."""
    return len(f"{fanout - 1:X}")


def slot_prefix(slot: int, fanout: int) -> str:
    """Return the prefix of all names in a slot: its number in upper-case hex."""
    return f"{slot:0{prefix_digits(fanout)}X}"


def link_index(bits: int, slot: int) -> int | None:
    """Return the index of the link in a slot; None when the slot is free."""
    if not bits >> slot & 1:
        return None
    return (bits & ((1 << slot) - 1)).bit_count()


def taken_slots(bits: int) -> Iterator[int]:
    """Yield the occupied slots in order, which is the order of the links."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest
