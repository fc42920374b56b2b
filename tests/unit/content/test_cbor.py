import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.cbor import ARRAY, MAP, SIMPLE, UNSIGNED, decode_head, encode_head
from gateway.errors import BadBlock
from tests.refusal import check_refused


@given(st.integers(0, 7), st.integers(0, 2**64 - 1), st.binary(max_size=3))
def test_decode_undoes_encode(major: int, value: int, after: bytes) -> None:
    head = encode_head(major, value)

    assert decode_head(head + after, 0) == (major, value, len(head))


@pytest.mark.parametrize(
    ("data", "head"),
    [
        pytest.param("17", (UNSIGNED, 23, 1), id="in-the-first-byte"),
        pytest.param("1818", (UNSIGNED, 24, 2), id="one-byte"),
        pytest.param("1801", (UNSIGNED, 1, 2), id="not-the-shortest"),
        pytest.param("990100", (ARRAY, 256, 3), id="two-bytes"),
        pytest.param("ba00010000", (MAP, 65536, 5), id="four-bytes"),
        pytest.param("fb3ff0000000000000", (SIMPLE, 0x3FF << 52, 9), id="float"),
    ],
)
def test_head_is_decoded(data: str, head: tuple[int, int, int]) -> None:
    assert decode_head(bytes.fromhex(data), 0) == head


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param("", "does not end", id="nothing"),
        pytest.param("18", "does not end", id="one-byte-missing"),
        pytest.param("1b00000000000000", "does not end", id="eighth-byte-missing"),
        pytest.param("1c", "no definite length", id="reserved"),
        pytest.param("9f", "no definite length", id="indefinite"),
        pytest.param("ff", "no definite length", id="break"),
    ],
)
def test_head_is_refused(data: str, reason: str) -> None:
    check_refused(BadBlock, reason, decode_head, bytes.fromhex(data), 0)
