"""Any bytes are a record of a key or a BadRecord, and a record says what was signed."""

from gateway.content.ipns import verify_record
from gateway.content.ipns_message import check_old_form, decode_data, decode_message
from gateway.errors import BadRecord
from tests.fakes.ipns_forge import field, owner

OWNER = owner()


def check(data: bytes) -> None:
    """Read `data` as a record, and what is in it as signed by a key of ours."""
    try:
        record = verify_record(OWNER.name, data, 0.0)
    except BadRecord:
        pass
    else:
        assert record.raw == data
        assert 0 <= record.sequence < 2**64
        assert decode_data(decode_message(data).data).value == record.value
    try:
        message = decode_message(data)
        signed = decode_data(message.data)
        check_old_form(message, signed)
    except BadRecord:
        return
    raw = OWNER.seal(message.data, field(11, b"more"))
    try:
        record = verify_record(OWNER.name, raw, 0.0)
    except BadRecord:
        return
    assert (record.value, record.sequence, record.ttl_ns) == (
        signed.value,
        signed.sequence,
        signed.ttl_ns,
    )


if __name__ == "__main__":
    from harness import fuzz  # type: ignore[import-not-found]  # beside this file

    fuzz(check)
