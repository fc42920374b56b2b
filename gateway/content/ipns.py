"""IPNS records: what the owner of a key says its name points to.

https://specs.ipfs.tech/ipns/ipns-record/. `verify_record` is the only door for bytes from
elsewhere, as `content.block.verify` is for blocks.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from gateway.content.cid import Cid
from gateway.content.ipns_message import check_old_form, decode_data, decode_message
from gateway.content.multihash import IDENTITY, SHA2_256, decode_multihash, matches
from gateway.content.public_key import check_signature
from gateway.content.timestamp import NS_PER_S, parse_timestamp_ns
from gateway.errors import BadRecord

MAX_RECORD_BYTES: Final = 10 * 1024  # ipns-record.md, "Record Size Limit"

_SIGNED_PREFIX: Final = b"ipns-signature:"
_END_OF_LIFE: Final = 0  # the one type of validity there is
_KEPT_RESULTS: Final = 1024  # 10 MiB at most; a signature of RSA takes 100 us to check


@dataclass(frozen=True, slots=True)
class IpnsRecord:
    """A record that its key signed."""

    name: Cid
    """A CIDv1 of codec libp2p-key."""
    value: bytes
    """What the name points to: a content path, if the signer made no mistake."""
    sequence: int
    valid_until_ns: int
    """Nanoseconds since the epoch."""
    ttl_ns: int | None
    """As it was signed, so maybe zero, negative or absurd; None when there is none."""
    raw: bytes
    """The whole record, as it came."""

    @property
    def valid_until(self) -> float:
        """Seconds since the epoch."""
        return self.valid_until_ns / NS_PER_S


def verify_record(key: Cid, raw: bytes, now: float) -> IpnsRecord:
    """Check a record against its name.

    Args:
        key: the name.
        raw: what came.
        now: wall time.

    Raises:
        BadRecord: too large, malformed, not signed by the key, its two forms differ, or over.
    """
    if len(raw) > MAX_RECORD_BYTES:
        raise BadRecord(f"{len(raw)} bytes are more than {MAX_RECORD_BYTES}")
    record = _open(key, raw)
    if now >= record.valid_until:
        raise BadRecord(f"it was valid until {now - record.valid_until:.0f} s ago")
    return record


@lru_cache(maxsize=_KEPT_RESULTS)
def _open(key: Cid, raw: bytes) -> IpnsRecord:
    message = decode_message(raw)
    if not message.signature or not message.data:
        raise BadRecord("it has no signature of version 2")
    public_key = _get_public_key(key, message.public_key)
    check_signature(public_key, _SIGNED_PREFIX + message.data, message.signature)
    data = decode_data(message.data)
    if message.is_old_form_used:
        check_old_form(message, data)
    if data.validity_type != _END_OF_LIFE:
        raise BadRecord(f"validity of type {data.validity_type} is not known")
    try:
        valid_until_ns = parse_timestamp_ns(data.validity.decode("ascii"))
    except ValueError as exc:
        raise BadRecord(f"the end of its validity: {exc}") from exc
    return IpnsRecord(key, data.value, data.sequence, valid_until_ns, data.ttl_ns, raw)


def _get_public_key(key: Cid, given: bytes) -> bytes:
    """Return the public key of a name: of the record, or of the name itself if it is in there."""
    code, digest, _ = decode_multihash(key.multihash)
    if not given:
        if code != IDENTITY:
            raise BadRecord("neither the record nor its name holds the public key")
        return digest
    if code not in (IDENTITY, SHA2_256) or not matches(code, digest, given):
        raise BadRecord("its public key is not the one of its name")
    return given


def is_newer(record: IpnsRecord, other: IpnsRecord) -> bool:
    """Tell which of two records of a name counts: ipns-record.md, "Record Selection"."""
    rank = (record.sequence, record.valid_until_ns)
    return rank > (other.sequence, other.valid_until_ns)
