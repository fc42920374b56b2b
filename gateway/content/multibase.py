"""Multibase text: https://github.com/multiformats/multibase.

Bases 16, 32, 36, 58 and 64url are ours (speed, and one text for one value); the rare ones go
through `multiformats`. Strict: no mixed case, no padding where the base has none, no unused bits.
"""

import base64
import binascii

from multiformats import multibase as rare
from multiformats.multibase.err import MultibaseKeyError

from gateway.errors import BadCid

MAX_CHARACTERS = 256  # cheaper than a quadratic decode; the longest CID here (identity, 128) fits

_B58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_B36 = "0123456789abcdefghijklmnopqrstuvwxyz"
_B58_VALUES = {char: value for value, char in enumerate(_B58)}
_B36_LOWER = frozenset(_B36)
_B32_LOWER = frozenset("abcdefghijklmnopqrstuvwxyz234567")
_B32_PAD = ("", "", "======", "", "====", "===", "", "=")  # index: characters % 8


def decode_base58(text: str) -> bytes:
    """Decode base58btc.

    Raises:
        BadCid: a character outside of the alphabet.
    """
    number = 0
    try:
        for char in text:
            number = number * 58 + _B58_VALUES[char]
    except KeyError as exc:
        raise BadCid(f"character {exc.args[0]!r} is not base58") from None
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def encode_base58(data: bytes) -> str:
    """Encode as base58btc."""
    return _encode_number(data, _B58)


def decode_base36(text: str) -> bytes:
    """Decode lower-case base36.

    Raises:
        BadCid: a character outside of the alphabet.
    """
    if not _B36_LOWER.issuperset(text):
        raise BadCid("a character is not base36")
    zeros = len(text) - len(text.lstrip("0"))
    number = int(text, 36) if text else 0
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def encode_base36(data: bytes) -> str:
    """Encode as lower-case base36."""
    return _encode_number(data, _B36)


def _encode_number(data: bytes, alphabet: str) -> str:
    number = int.from_bytes(data, "big")
    base = len(alphabet)
    out: list[str] = []
    while number:
        number, digit = divmod(number, base)
        out.append(alphabet[digit])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return alphabet[0] * zeros + "".join(reversed(out))


def decode_base32(text: str) -> bytes:
    """Decode lower-case base32 without padding (RFC 4648).

    Raises:
        BadCid: a foreign character, an impossible length, or unused bits that are not zero.
    """
    if not _B32_LOWER.issuperset(text):
        raise BadCid("a character is not lower-case base32")
    try:
        data = base64.b32decode(text.upper() + _B32_PAD[len(text) % 8])
    except binascii.Error:
        raise BadCid(f"{len(text)} characters of base32 do not end on a byte") from None
    unused = len(text) * 5 - len(data) * 8
    if unused and _last_value(text) & ((1 << unused) - 1):
        raise BadCid("the unused bits of the base32 text are not zero")
    return data


def _last_value(text: str) -> int:
    last = ord(text[-1])
    return last - 97 if last >= 97 else last - 24  # "2" is 26


def encode_base32(data: bytes) -> str:
    """Encode as lower-case base32 without padding."""
    return base64.b32encode(data).decode("ascii").lower().rstrip("=")


def decode_multibase(text: str) -> bytes:
    """Decode text that carries its base in the first character.

    Raises:
        BadCid: too long, an unknown base, or text that its base does not allow.
    """
    if len(text) > MAX_CHARACTERS:
        raise BadCid(f"{len(text)} characters are more than {MAX_CHARACTERS}")
    if not text:
        raise BadCid("the text is empty")
    if not text.isascii():
        raise BadCid("a character is not ASCII")
    prefix, body = text[0], text[1:]
    match prefix:
        case "b":
            return decode_base32(body)
        case "z":
            return decode_base58(body)
        case "k":
            return decode_base36(body)
        case "f":
            return _decode_base16(body)
        case "u":
            return _decode_base64url(body)
        case "B" | "K" | "F":
            if body != body.upper():
                raise BadCid(f"lower case after the upper-case prefix {prefix}")
            return decode_multibase(text.lower())
        case _:
            return _decode_rare(text)


def _decode_base16(text: str) -> bytes:
    if text != text.lower():
        raise BadCid("upper case after the lower-case prefix f")
    try:
        return binascii.unhexlify(text)
    except binascii.Error:
        raise BadCid("the text is not base16") from None


def _decode_base64url(text: str) -> bytes:
    if "=" in text or "+" in text or "/" in text:
        raise BadCid("a character is not base64url")
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise BadCid("the text is not base64url") from None
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii") != text:
        raise BadCid("the unused bits of the base64url text are not zero")
    return data


def _decode_rare(text: str) -> bytes:
    try:
        data = rare.decode(text)
        again = rare.get(code=text[0]).encode(data)
    except (MultibaseKeyError, KeyError):
        raise BadCid(f"no multibase has the prefix {text[0]!r}") from None
    except (ValueError, IndexError, TypeError) as exc:
        raise BadCid(f"the text is not valid for its base {text[0]!r}") from exc
    if again != text:
        raise BadCid(f"the text is not the one form of its value in base {text[0]!r}")
    return data
