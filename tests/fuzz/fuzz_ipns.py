"""Any bytes are a record of a key or a BadRecord, and a record says what was signed."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.content.cid import LIBP2P_KEY, make_cid
from gateway.content.ipns import verify_record
from gateway.content.ipns_message import check_old_form, decode_data, decode_message
from gateway.content.multihash import IDENTITY
from gateway.content.protobuf import encode_uint64
from gateway.errors import BadRecord

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))  # who signed the seeds
NAME = make_cid(LIBP2P_KEY, IDENTITY, b"\x08\x01\x12\x20" + KEY.public_key().public_bytes_raw())


def check(data: bytes) -> None:
    """Read `data` as a record, and what is signed in it as if it were signed now."""
    try:
        record = verify_record(NAME, data, 0.0)
    except BadRecord:
        pass
    else:
        assert record.raw == data
        assert decode_data(decode_message(data).data).value == record.value
    try:
        message = decode_message(data)
        signed = decode_data(message.data)
        check_old_form(message, signed)
        record = verify_record(NAME, seal(message.data), 0.0)
    except BadRecord:
        return
    assert 0 <= record.sequence < 1 << 64
    assert (record.value, record.sequence, record.ttl_ns) == (
        signed.value,
        signed.sequence,
        signed.ttl_ns,
    )


def seal(data: bytes) -> bytes:
    """Return a record that holds data and their signature, and nothing else."""
    signature = KEY.sign(b"ipns-signature:" + data)
    return b"\x42\x40" + signature + b"\x4a" + encode_uint64(len(data)) + data


if __name__ == "__main__":
    from harness import fuzz  # type: ignore[import-not-found]  # beside this file

    fuzz(check)
