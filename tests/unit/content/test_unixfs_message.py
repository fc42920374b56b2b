import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.unixfs_message import (
    MAX_NANOS,
    Mtime,
    UnixFs,
    UnixFsType,
    decode_unixfs,
    encode_unixfs,
)
from gateway.errors import BadBlock
from tests.refusal import check_refused

uint64s = st.integers(0, 2**64 - 1)
mtimes = st.builds(Mtime, st.integers(-(2**63), 2**63 - 1), st.integers(0, MAX_NANOS))
messages = st.builds(
    UnixFs,
    st.sampled_from(UnixFsType),
    st.none() | st.binary(max_size=20),
    st.none() | uint64s,
    st.lists(uint64s, max_size=5).map(tuple),
    st.none() | uint64s,
    st.none() | uint64s,
    st.none() | st.integers(0, 0o7777),
    st.none() | mtimes,
)


@given(messages)
def test_decode_undoes_encode(message: UnixFs) -> None:
    assert decode_unixfs(encode_unixfs(message)) == message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param("0801", UnixFs(UnixFsType.DIRECTORY), id="directory"),
        pytest.param("08021800", UnixFs(UnixFsType.FILE, filesize=0), id="empty-file"),
        pytest.param("0802 1200 1800", UnixFs(UnixFsType.FILE, b"", 0), id="empty-data"),
        pytest.param(
            "0802 1864 2032 2032", UnixFs(UnixFsType.FILE, None, 100, (50, 50)), id="blocksizes"
        ),
        pytest.param(
            "0802 1864 22023232", UnixFs(UnixFsType.FILE, None, 100, (50, 50)), id="packed"
        ),
        pytest.param(
            "0802 2032 22020102 2033",
            UnixFs(UnixFsType.FILE, None, None, (50, 1, 2, 51)),
            id="packed-and-unpacked",
        ),
        pytest.param("0801 4a0101 5001", UnixFs(UnixFsType.DIRECTORY), id="unknown-fields"),
        pytest.param(
            "0801 38ffff03", UnixFs(UnixFsType.DIRECTORY, mode=0o7777), id="mode-of-12-bits"
        ),
        pytest.param(
            "0801 4202 0805", UnixFs(UnixFsType.DIRECTORY, mtime=Mtime(5)), id="mtime-seconds"
        ),
        pytest.param(
            "0801 420b 08ffffffffffffffffff01",
            UnixFs(UnixFsType.DIRECTORY, mtime=Mtime(-1)),
            id="mtime-before-the-epoch",
        ),
        pytest.param(
            "0801 4209 0805 1507000000 1801",
            UnixFs(UnixFsType.DIRECTORY, mtime=Mtime(5, 7)),
            id="mtime-with-an-unknown-field",
        ),
        pytest.param("1801 0802", UnixFs(UnixFsType.FILE, filesize=1), id="any-order"),
    ],
)
def test_message_is_decoded(data: str, message: UnixFs) -> None:
    assert decode_unixfs(bytes.fromhex(data)) == message


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param("", "no Type", id="empty"),
        pytest.param("1800", "no Type", id="no-type"),
        pytest.param("0806", "Type 6 is unknown", id="unknown-type"),
        pytest.param("08ffffffffffffffffff01", "is unknown", id="negative-type"),
        pytest.param("0802 0802", "field 1 occurs twice", id="type-twice"),
        pytest.param("0802 1801 1801", "field 3 occurs twice", id="filesize-twice"),
        pytest.param("0a00", "field 1 has wire type 2", id="type-of-bytes"),
        pytest.param("0802 1000", "field 2 has wire type 0", id="data-is-a-number"),
        pytest.param("0802 25 00000000", "field 4 has wire type 5", id="blocksizes-fixed"),
        pytest.param("0802 20", "does not end", id="blocksize-cut-short"),
        pytest.param("0802 220180", "does not end", id="packed-cut-short"),
        pytest.param("0802 1205 00", "does not end", id="data-cut-short"),
        pytest.param("0802 388080808010", "more than 32 bits", id="mode-of-33-bits"),
        pytest.param("0801 4200", "no seconds", id="mtime-empty"),
        pytest.param("0801 4205 1507000000", "no seconds", id="mtime-only-nanos"),
        pytest.param("0801 4207 0805 1500000000", "0 nanoseconds", id="mtime-zero-nanos"),
        pytest.param(
            "0801 4207 0805 1500ca9a3b", "1000000000 nanoseconds", id="mtime-a-second-of-nanos"
        ),
        pytest.param("0801 4204 0805 0805", "field 1 of mtime", id="mtime-seconds-twice"),
        pytest.param("0801 4204 0805 1007", "field 2 of mtime", id="mtime-nanos-varint"),
    ],
)
def test_message_is_refused(data: str, reason: str) -> None:
    check_refused(BadBlock, reason, decode_unixfs, bytes.fromhex(data))


@given(st.binary(max_size=60))
def test_any_bytes_are_a_message_or_a_bad_block(data: bytes) -> None:
    try:
        message = decode_unixfs(data)
    except BadBlock:
        return

    assert decode_unixfs(encode_unixfs(message)) == message


@pytest.mark.parametrize(
    "mtime", [Mtime(2**63), Mtime(-(2**63) - 1), Mtime(0, -1), Mtime(0, MAX_NANOS + 1)]
)
def test_encode_rejects_times_that_do_not_fit(mtime: Mtime) -> None:
    check_refused(
        ValueError,
        "not a time that UnixFS can hold",
        encode_unixfs,
        UnixFs(UnixFsType.FILE, mtime=mtime),
    )
