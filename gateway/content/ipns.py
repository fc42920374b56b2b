"""IPNS records, in which the owner of a key signs where its name points.

https://specs.ipfs.tech/ipns/ipns-record/. Only `verify_record` accepts untrusted bytes, as only
`content.block.verify` does for blocks.
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
_END_OF_LIFE: Final = 0  # the only defined type of validity
_KEPT_RESULTS: Final = 1024  # 10 MiB at most; the check of an RSA signature takes 100 us


@dataclass(frozen=True, slots=True)
class IpnsRecord:
    """A record whose signature is verified."""

    name: Cid
    """A CIDv1 of codec libp2p-key."""
    value: bytes
    """The target of the name: normally a content path, but not checked."""
    sequence: int
    valid_until_ns: int
    """End of the validity, in nanoseconds since the epoch."""
    ttl_ns: int | None
    """Nanoseconds as signed, so possibly zero, negative or huge; None when there is none."""
    raw: bytes
    """The whole record as it was received."""

    @property
    def valid_until(self) -> float:
        """End of the validity, in seconds since the epoch."""
        return self.valid_until_ns / NS_PER_S


def verify_record(key: Cid, raw: bytes, now: float) -> IpnsRecord:
    """Return a record after a check of its signature and validity.

    Args:
        key: the IPNS name.
        raw: the bytes that were received.
        now: wall time in seconds since the epoch.

    Raises:
        BadRecord: too large, malformed, not signed by the key, its two forms differ, or expired.
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
    """Return the public key of a name: that of the record, else the one inside the name."""
    code, digest, _ = decode_multihash(key.multihash)
    if not given:
        if code != IDENTITY:
            raise BadRecord("neither the record nor its name holds the public key")
        return digest
    if code not in (IDENTITY, SHA2_256) or not matches(code, digest, given):
        raise BadRecord("its public key does not match its name")
    return given


def is_newer(record: IpnsRecord, other: IpnsRecord) -> bool:
    """Return whether `record` takes precedence over `other`: ipns-record.md, "Record Selection"."""
    rank = (record.sequence, record.valid_until_ns)
    return rank > (other.sequence, other.valid_until_ns)
