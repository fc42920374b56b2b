"""IPNS records: who signed them, until when they count, and which of two does."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.cid import LIBP2P_KEY, make_cid
from gateway.content.ipns import MAX_RECORD_BYTES, IpnsRecord, is_newer, verify_record
from gateway.content.multihash import HASHES, SHA2_256
from gateway.content.names import parse_key
from gateway.content.public_key import KeyType
from gateway.content.timestamp import NS_PER_S
from gateway.errors import BadRecord
from tests.fakes.ipns_forge import HELLO, MINUTE_NS, field, old_fields, owner
from tests.refusal import check_refused

NOW = 1_700_000_000.0  # 2023-11-14T22:13:20Z
FIXTURES = Path(__file__).parents[2] / "data" / "gateway-conformance"
REFUSED = {
    "_v1": "no signature of version 2",
    "_v1-v2-broken-signature-v2": "does not match its key",
    "_v1-v2-broken-v1-value": "unsigned value ",
}
RECORDS = sorted(FIXTURES.rglob("*.ipns-record"))
OWNER = owner()


def suffix(path: Path) -> str:
    return "".join(path.stem.partition("_")[1:])


@pytest.mark.parametrize("path", [p for p in RECORDS if suffix(p) not in REFUSED], ids=str)
def test_a_good_record_of_the_conformance_suite_is_taken(path: Path) -> None:
    key = parse_key(path.stem.partition("_")[0])
    record = verify_record(key, path.read_bytes(), NOW)
    assert record.value.startswith(b"/ipfs/ba")
    assert (record.name, record.raw, record.sequence) == (key, path.read_bytes(), 0)


@pytest.mark.parametrize("path", [p for p in RECORDS if suffix(p) in REFUSED], ids=str)
def test_a_bad_record_of_the_conformance_suite_is_refused(path: Path) -> None:
    key = parse_key(path.stem.partition("_")[0])
    with pytest.raises(BadRecord, match=REFUSED[suffix(path)]):
        verify_record(key, path.read_bytes(), NOW)


@pytest.mark.parametrize("kind", KeyType)
def test_a_record_of_each_kind_of_key_is_taken(kind: KeyType) -> None:
    signer = owner(kind)
    raw = signer.seal(signer.data(sequence=3), old_fields(sequence=3))
    record = verify_record(signer.name, raw, NOW)
    assert (record.value, record.sequence, record.ttl_ns) == (HELLO, 3, 5 * MINUTE_NS)
    assert record.valid_until == 4_070_908_800.0


@pytest.mark.parametrize("kind", KeyType)
def test_a_record_of_another_key_is_refused(kind: KeyType) -> None:
    raw = owner(KeyType.ED25519, 1).raw()
    with pytest.raises(BadRecord, match=r"does not match its key|neither the record nor its name"):
        verify_record(owner(kind).name, raw, NOW)


def test_an_inlined_key_may_be_in_the_record_too() -> None:
    raw = OWNER.seal(OWNER.data(), with_key=True)
    assert verify_record(OWNER.name, raw, NOW).value == HELLO


def test_a_key_that_its_name_hashes_is_taken() -> None:
    """Ed25519 names were hashes, too, before keys went into them."""
    name = make_cid(LIBP2P_KEY, SHA2_256, HASHES[SHA2_256].digest(OWNER.public))
    assert verify_record(name, OWNER.seal(OWNER.data(), with_key=True), NOW).value == HELLO


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        pytest.param(b"", "no signature of version 2", id="empty"),
        pytest.param(b"<html>", "not a protobuf message", id="html"),
        pytest.param(b"x" * (MAX_RECORD_BYTES + 1), "10241 bytes are more", id="large"),
        pytest.param(OWNER.raw() + field(99, b"x" * 11_000), "are more than 10240", id="padded"),
        pytest.param(field(8, b"s"), "no signature of version 2", id="no-data"),
        pytest.param(field(9, OWNER.data()), "no signature of version 2", id="no-signature"),
        pytest.param(old_fields(), "no signature of version 2", id="older-form-alone"),
        pytest.param(OWNER.seal(b"\xf6"), "not a map", id="signed-null"),
        pytest.param(OWNER.seal(b"garbage"), "not DAG-CBOR", id="signed-garbage"),
        pytest.param(OWNER.raw(ValidityType=1), "validity of type 1", id="validity-type"),
        pytest.param(OWNER.raw(Validity=b"never"), "not an RFC 3339 time", id="validity-of-words"),
        pytest.param(OWNER.raw(Validity=b"\xff"), "end of its validity", id="validity-of-bytes"),
        pytest.param(
            OWNER.raw(Validity=b"2030-12-31T23:59:60Z"), "end of its validity", id="leap-second"
        ),
        pytest.param(
            OWNER.seal(OWNER.data(), field(7, owner(KeyType.RSA).public), with_key=False),
            "does not match its name",
            id="another-key",
        ),
        pytest.param(
            owner(KeyType.RSA).seal(owner(KeyType.RSA).data(), with_key=False),
            "does not match its key",
            id="rsa-without-key",
        ),
        pytest.param(
            OWNER.seal(OWNER.data(), old_fields(sequence=2)), "unsigned sequence", id="two-forms"
        ),
    ],
)
def test_a_bad_record_is_refused(raw: bytes, reason: str) -> None:
    check_refused(BadRecord, reason, verify_record, OWNER.name, raw, NOW)


def test_a_name_of_a_hash_needs_the_key_in_the_record() -> None:
    signer = owner(KeyType.RSA)
    with pytest.raises(BadRecord, match="neither the record nor its name holds"):
        verify_record(signer.name, signer.seal(signer.data(), with_key=False), NOW)


def test_a_name_of_an_odd_hash_is_refused() -> None:
    name = make_cid(LIBP2P_KEY, 0x1E, HASHES[0x1E].digest(OWNER.public))
    with pytest.raises(BadRecord, match="does not match its name"):
        verify_record(name, OWNER.seal(OWNER.data(), with_key=True), NOW)


@pytest.mark.parametrize(
    ("validity", "now"),
    [
        pytest.param(b"2023-11-14T22:13:20.000001Z", NOW, id="a-microsecond-left"),
        pytest.param(b"9999-12-31T23:59:59Z", NOW, id="year-9999"),
        pytest.param(b"9999-12-31T23:59:59-12:00", NOW, id="beyond-9999"),
        pytest.param(b"2023-11-15T00:13:21+02:00", NOW, id="other-zone"),
    ],
)
def test_a_record_counts_until_its_end(validity: bytes, now: float) -> None:
    assert verify_record(OWNER.name, OWNER.raw(Validity=validity), now).value == HELLO


@pytest.mark.parametrize(
    ("now", "ago"),
    [
        pytest.param(4_070_908_800.0, "0 s ago", id="at-its-end"),
        pytest.param(4_070_908_800.0 + 10 * 31_557_600, "315576000 s ago", id="ten-years-on"),
    ],
)
def test_a_record_is_refused_from_its_end_on(now: float, ago: str) -> None:
    check_refused(BadRecord, ago, verify_record, OWNER.name, OWNER.raw(), now)


def test_a_record_that_was_good_before_is_refused_after_its_end() -> None:
    raw = OWNER.raw(Validity=b"2023-11-14T22:13:30Z")
    verify_record(OWNER.name, raw, NOW)
    with pytest.raises(BadRecord, match="valid until 1 s ago"):
        verify_record(OWNER.name, raw, NOW + 11)


@pytest.mark.parametrize("spot", [0, 40, 100, -1])
def test_a_flipped_bit_is_seen(spot: int) -> None:
    raw = bytearray(OWNER.raw())
    raw[spot] ^= 1
    with pytest.raises(BadRecord, match="not a valid IPNS record"):
        verify_record(OWNER.name, bytes(raw), NOW)


records = st.builds(
    IpnsRecord,
    st.just(OWNER.name),
    st.just(HELLO),
    st.integers(0, 3) | st.integers(0, 2**64 - 1),
    st.integers(0, 3).map(lambda s: s * NS_PER_S) | st.integers(0, 2**65),
    st.none(),
    st.just(b""),
)


@pytest.mark.property
@given(one=records, other=records)
def test_of_two_records_at_most_one_is_newer(one: IpnsRecord, other: IpnsRecord) -> None:
    assert not (is_newer(one, other) and is_newer(other, one))
    is_same = (one.sequence, one.valid_until_ns) == (other.sequence, other.valid_until_ns)
    assert is_same == (not is_newer(one, other) and not is_newer(other, one))


@pytest.mark.property
@given(a=records, b=records, c=records)
def test_newer_than_the_newer_is_newer(a: IpnsRecord, b: IpnsRecord, c: IpnsRecord) -> None:
    assert not (is_newer(a, b) and is_newer(b, c)) or is_newer(a, c)


@pytest.mark.parametrize(
    ("sequence", "validity"),
    [
        pytest.param(2, b"2024-01-01T00:00:00Z", id="sequence-first"),
        pytest.param(1, b"2100-01-01T00:00:00Z", id="then-validity"),
        pytest.param(1, b"2099-01-01T00:00:00.000000001Z", id="to-the-nanosecond"),
    ],
)
def test_the_newer_record_counts(sequence: int, validity: bytes) -> None:
    newer = OWNER.record(sequence=sequence, Validity=validity)
    assert is_newer(newer, OWNER.record())
    assert not is_newer(OWNER.record(), newer)
