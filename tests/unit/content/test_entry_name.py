import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.entry_name import decode_name, encode_name, is_text, quote_name, show_bytes


@pytest.mark.property
@given(st.binary(max_size=20))
def test_every_byte_comes_back(name: bytes) -> None:
    assert encode_name(decode_name(name)) == name


@pytest.mark.property
@given(st.binary(max_size=20), st.binary(max_size=20))
def test_equal_text_is_equal_bytes(one: bytes, other: bytes) -> None:
    assert (decode_name(one) == decode_name(other)) == (one == other)


@pytest.mark.parametrize(
    ("name", "is_utf_8", "shown", "quoted"),
    [
        pytest.param(b"plain", True, "plain", "plain", id="ascii"),
        pytest.param("é".encode(), True, "é", "%C3%A9", id="utf-8"),
        pytest.param(b"caf\xe9.txt", False, "caf%E9.txt", "caf%E9.txt", id="latin-1"),
        pytest.param(b"\xed\xa0\x80", False, "%ED%A0%80", "%ED%A0%80", id="surrogate"),
        pytest.param(b"a/b%", True, "a/b%", "a%2Fb%25", id="slash-and-percent"),
    ],
)
def test_names_are_shown_and_quoted(
    name: bytes, *, is_utf_8: bool, shown: str, quoted: str
) -> None:
    text = decode_name(name)

    assert is_text(text) is is_utf_8
    assert show_bytes(text) == shown
    assert quote_name(text) == quoted


def test_half_a_pair_that_is_no_byte_is_like_no_name() -> None:
    assert encode_name("\ud800") == b"\xed\xa0\x80"
