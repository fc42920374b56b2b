import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multiformats import multibase as oracle

from gateway.content.multibase import (
    MAX_CHARACTERS,
    decode_base32,
    decode_base36,
    decode_base58,
    decode_multibase,
    encode_base32,
    encode_base36,
    encode_base58,
)
from gateway.errors import BadCid
from tests.refusal import check_refused

DATA = Path(__file__).parents[2] / "data/multibase"
CODECS = {
    "base32": (encode_base32, decode_base32),
    "base36": (encode_base36, decode_base36),
    "base58btc": (encode_base58, decode_base58),
}
PREFIXES = "bBcCfFhkKmMpPtTuUvVzZ0179Q"


def _rows(name: str) -> list[object]:
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file, skipinitialspace=True)
    value = header[1].replace("\\x00", "\0").encode()
    return [pytest.param(text, value, id=f"{name}-{encoding}") for encoding, text in rows]


@pytest.mark.parametrize(
    ("text", "value"), [*_rows("basic"), *_rows("leading_zero"), *_rows("two_leading_zeros")]
)
def test_every_base_of_the_public_table_is_read(text: str, value: bytes) -> None:
    assert decode_multibase(text) == value


@pytest.mark.parametrize(("text", "_value"), _rows("case_insensitivity"))
def test_mixed_case_is_refused(text: str, _value: bytes) -> None:
    check_refused(BadCid, "invalid CID", decode_multibase, text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "empty", id="empty"),
        pytest.param("Q", "no multibase", id="unknown-prefix"),
        pytest.param("\0abc", "identity base", id="identity-base"),
        pytest.param("bé", "not ASCII", id="accent"),
        pytest.param("K\N{KELVIN SIGN}", "not ASCII", id="kelvin-sign"),
        pytest.param("k\N{ARABIC-INDIC DIGIT ONE}", "not ASCII", id="arabic-digit"),
        pytest.param("f\ud800", "not ASCII", id="lone-surrogate"),
        pytest.param("b" * (MAX_CHARACTERS + 1), "257 characters", id="too-long"),
        pytest.param("ba", "do not end on a byte", id="base32-one-character"),
        pytest.param("baaa", "do not end on a byte", id="base32-three-characters"),
        pytest.param("baaaaaa", "do not end on a byte", id="base32-six-characters"),
        pytest.param("bab", "unused bits", id="base32-unused-bits"),
        pytest.param("ba1", "not lower-case base32", id="base32-digit-1"),
        pytest.param("baA", "not lower-case base32", id="base32-upper"),
        pytest.param("baa======", "not lower-case base32", id="base32-padded"),
        pytest.param("ba_a", "do not end on a byte", id="base32-underscore-3"),
        pytest.param("ba_aa", "not lower-case base32", id="base32-underscore"),
        pytest.param("b aaa", "not lower-case base32", id="base32-space"),
        pytest.param("b-aaa", "not lower-case base32", id="base32-sign"),
        pytest.param("Baa", "lower case after an upper", id="base32-upper-prefix"),
        pytest.param("k1_0", "not lower-case base36", id="base36-underscore"),
        pytest.param("k 10", "not lower-case base36", id="base36-space"),
        pytest.param("k+10", "not lower-case base36", id="base36-sign"),
        pytest.param("k1A", "not lower-case base36", id="base36-upper"),
        pytest.param("z10", "not base58", id="base58-zero"),
        pytest.param("zIl", "not base58", id="base58-look-alikes"),
        pytest.param("fF0", "not lower-case base16", id="base16-upper"),
        pytest.param("fabc", "not base16", id="base16-odd"),
        pytest.param("fxy", "not base16", id="base16-letters"),
        pytest.param("uQ", "not base64url", id="base64url-one-character"),
        pytest.param("uQR", "not the canonical", id="base64url-unused-bits"),
        pytest.param("uQQ==", "not the canonical", id="base64url-padded"),
        pytest.param("u+/+/", "not the canonical", id="base64url-standard-alphabet"),
        pytest.param("uQ Q", "not base64url", id="base64url-space"),
        pytest.param("uQQ Q Q", "not the canonical", id="base64url-spaces"),
        pytest.param("7362=", "not the canonical|not valid", id="base8-padded"),
        pytest.param("m!", "not valid for its base", id="base64-letters"),
        pytest.param("9a", "not valid for its base", id="base10-letters"),
        pytest.param("mQR", "not the canonical|not valid", id="base64-unused-bits"),
        pytest.param("01", "not the canonical", id="base2-short"),
        pytest.param("🚀a", "not base256emoji", id="base256emoji-letter"),
    ],
)
def test_decode_multibase_refuses(text: str, reason: str) -> None:
    check_refused(BadCid, reason, decode_multibase, text)


@pytest.mark.parametrize("decode", [decode_base36, decode_base58])
def test_quadratic_bases_refuse_long_text(decode: Callable[[str], bytes]) -> None:
    check_refused(BadCid, "257 characters are more than 256", decode, "1" * 257)


def test_base58_reads_as_many_characters_as_allowed() -> None:
    text = "z" * MAX_CHARACTERS
    assert decode_base58(text) == oracle.get("base58btc").decode("z" + text)


def test_base58_refuses_a_lone_surrogate() -> None:
    with pytest.raises(BadCid, match="not base58"):
        decode_base58("Qm\ud800")


def test_encode_base32_refuses_more_than_a_cid_holds() -> None:
    with pytest.raises(ValueError, match="161 bytes take more than 256 characters"):
        encode_base32(bytes(161))


@pytest.mark.property
@pytest.mark.parametrize("base", CODECS)
@given(data=st.binary(max_size=150))
def test_encoding_is_that_of_multiformats_and_decodes_back(base: str, data: bytes) -> None:
    encode, decode = CODECS[base]
    text = encode(data)
    assert text == oracle.get(base).encode(data)[1:]
    assert decode(text) == data


@pytest.mark.property
@given(data=st.binary(min_size=1, max_size=60))
def test_upper_case_forms_give_the_same_bytes(data: bytes) -> None:
    assert decode_multibase("B" + encode_base32(data).upper()) == data
    assert decode_multibase("K" + encode_base36(data).upper()) == data
    assert decode_multibase("F" + data.hex().upper()) == data


@pytest.mark.property
@given(
    st.builds(
        lambda prefix, body: prefix + body,
        st.sampled_from(PREFIXES),
        st.text(alphabet=st.characters(codec="ascii"), max_size=30)
        | st.text(alphabet="0123456789abcdefABCDEF", max_size=30),
    )
)
def test_text_is_read_as_multiformats_does_or_refused(text: str) -> None:
    try:
        data = decode_multibase(text)
    except BadCid:
        return
    assert oracle.decode(text) == data
    assert oracle.get(code=text[0]).encode(data).rstrip("=") == text.rstrip("=")
