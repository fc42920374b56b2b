import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.hamt import (
    check_fanout,
    decode_bitfield,
    encode_bitfield,
    hash_name,
    link_index,
    max_levels,
    prefix_digits,
    slot_of,
    slot_prefix,
    taken_slots,
)
from gateway.content.unixfs import ShardEntity, open_entity
from gateway.errors import BadBlock
from tests.fakes.car_data import read_car
from tests.refusal import check_refused

FANOUTS = [8, 16, 32, 64, 128, 256, 512, 1024]
FIXTURE = "gateway-conformance/trustless_gateway_car/single-layer-hamt-with-multi-block-files.car"


def test_hash_puts_the_name_of_the_specification_in_its_slots() -> None:
    hashed = hash_name("470.txt")

    assert [slot_of(hashed, level, 256) for level in (0, 1)] == [0x00, 0x6E]


def test_hash_of_names_beyond_ascii_is_that_of_their_utf8() -> None:
    assert hash_name("été") == hash_name(b"\xc3\xa9t\xc3\xa9".decode())
    assert hash_name("") == 0


def test_hash_has_64_bits() -> None:
    assert max(hash_name(str(number)) for number in range(100)).bit_length() == 64


@pytest.mark.parametrize("fanout", FANOUTS)
def test_fanouts_of_the_specification_are_taken(fanout: int) -> None:
    assert check_fanout(fanout, 0x22) == fanout


@pytest.mark.parametrize("fanout", [None, 0, 1, 3, 4, 7, 12, 255, 2048, 2**31, 2**63])
def test_other_fanouts_are_refused(fanout: int | None) -> None:
    check_refused(
        BadBlock,
        f"fanout {fanout} is not a power of two from 8 to 1024",
        check_fanout,
        fanout,
        0x22,
    )


@pytest.mark.parametrize("hash_type", [None, 0, 0x12, 0x23])
def test_other_hashes_are_refused(hash_type: int | None) -> None:
    check_refused(BadBlock, "is not murmur3-x64-64", check_fanout, 256, hash_type)


@given(st.sets(st.integers(0, 255)))
def test_bitfield_keeps_the_slots(slots: set[int]) -> None:
    bits = sum(1 << slot for slot in slots)

    assert decode_bitfield(encode_bitfield(bits), 256, len(slots)) == bits
    assert list(taken_slots(bits)) == sorted(slots)
    assert [link_index(bits, slot) for slot in sorted(slots)] == list(range(len(slots)))
    assert all(link_index(bits, slot) is None for slot in set(range(256)) - slots)


def test_bitfield_is_big_endian_without_leading_zeros() -> None:
    assert encode_bitfield(1 << 0 | 1 << 9) == b"\x02\x01"
    assert encode_bitfield(0) == b""


@pytest.mark.parametrize(
    ("bitfield", "links", "reason"),
    [
        pytest.param(bytes(2), 0, "2 bytes for 8 slots", id="too-wide"),
        pytest.param(b"\x03", 1, "2 slots are taken by 1 links", id="fewer-links"),
        pytest.param(b"", 1, "0 slots are taken by 1 links", id="more-links"),
    ],
)
def test_bitfield_is_refused(bitfield: bytes, links: int, reason: str) -> None:
    check_refused(BadBlock, reason, decode_bitfield, bitfield, 8, links)


@pytest.mark.parametrize(("fanout", "levels"), [(8, 21), (16, 16), (256, 8), (1024, 6)])
def test_hash_has_bits_for_so_many_levels(fanout: int, levels: int) -> None:
    slots = [slot_of(2**64 - 1, level, fanout) for level in range(levels)]

    assert max_levels(fanout) == levels
    assert slots == [fanout - 1] * levels
    with pytest.raises(BadBlock, match="too deep"):
        slot_of(0, levels, fanout)


@pytest.mark.parametrize(
    ("slot", "fanout", "prefix"),
    [(5, 8, "5"), (15, 16, "F"), (10, 32, "0A"), (0, 256, "00"), (11, 1024, "00B")],
)
def test_names_start_with_the_slot_in_hex(slot: int, fanout: int, prefix: str) -> None:
    assert slot_prefix(slot, fanout) == prefix
    assert prefix_digits(fanout) == len(prefix)


def test_every_shard_of_the_fixture_has_its_links_in_the_slots_of_its_bits() -> None:
    shards = [open_entity(block) for block in read_car(FIXTURE).blocks.values()]
    told = [
        (
            [link.name[:2] if link.name else "" for link in shard.links],
            list(taken_slots(shard.bits)),
        )
        for shard in shards
        if isinstance(shard, ShardEntity)
    ]

    assert len(told) == 237
    assert [names for names, _ in told] == [[f"{slot:02X}" for slot in slots] for _, slots in told]
