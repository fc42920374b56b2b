"""Multibase text: https://github.com/multiformats/multibase.

Bases 16, 32, 36, 58 and 64url are implemented here (for speed, and so that a value has one text);
`multiformats` decodes the rare ones. Strict: no mixed case, no padding where the base has none, no
unused bits.

C code does the work on whole integers. `int` is more lenient than a base (signs, spaces,
underscores, other scripts' digits, upper case), so a table first maps all characters to digits of
the base, or to `!`, which `int` refuses.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Final

from multiformats import multibase as rare
from multiformats.multibase.err import MultibaseKeyError

from gateway.errors import BadCid

MAX_CHARACTERS: Final = 256  # bases 10, 36 and 58 are quadratic; an identity CID of 128 bytes fits

_B32 = "abcdefghijklmnopqrstuvwxyz234567"
_B36 = "0123456789abcdefghijklmnopqrstuvwxyz"
_B256 = (  # https://github.com/multiformats/multibase/blob/master/rfcs/Base256Emoji.md
    "🚀🪐☄🛰🌌🌑🌒🌓🌔🌕🌖🌗🌘🌍🌏🌎🐉☀💻🖥💾💿😂❤😍🤣😊🙏💕😭😘👍"
    "😅👏😁🔥🥰💔💖💙😢🤔😆🙄💪😉☺👌🤗💜😔😎😇🌹🤦🎉💞✌✨🤷😱😌🌸🙌"
    "😋💗💚😏💛🙂💓🤩😄😀🖤😃💯🙈👇🎶😒🤭❣😜💋👀😪😑💥🙋😞😩😡🤪👊🥳"
    "😥🤤👉💃😳✋😚😝😴🌟😬🙃🍀🌷😻😓⭐✅🥺🌈😈🤘💦✔😣🏃💐☹🎊💘😠☝"
    "😕🌺🎂🌻😐🖕💝🙊😹🗣💫💀👑🎵🤞😛🔴😤🌼😫⚽🤙☕🏆🤫👈😮🙆🍻🍃🐶💁"
    "😲🌿🧡🎁⚡🌞🎈❌✊👋😰🤨😶🤝🚶💰🍓💢🤟🙁🚨💨🤬✈🎀🍺🤓😙💟🌱😖👶"
    "🥴▶➡❓💎💸⬇😨🌚🦋😷🕺⚠🙅😟😵👎🤲🤠🤧📌🔵💅🧐🐾🍒😗🤑🌊🤯🐷☎"
    "💧😯💆👆🎤🙇🍑❄🌴💣🐸💌📍🥀🤢👅💡💩👐📸👻🤐🤮🎼🥵🚩🍎🍊👼💍📣🥂"
)
_B58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def _table(alphabet: str, digits: bytes, other: int) -> bytes:
    table = bytearray((other,)) * 256
    for char, digit in zip(alphabet.encode("ascii"), digits, strict=True):
        table[char] = digit
    return bytes(table)


def _pairs(alphabet: str) -> tuple[str, ...]:
    return tuple(high + low for high in alphabet for low in alphabet)


_B32_DIGITS = _table(_B32, b"0123456789abcdefghijklmnopqrstuv", ord("!"))
_B36_DIGITS = _table(_B36, _B36.encode("ascii"), ord("!"))
_NOT_B58 = 0xFF
_B58_DIGITS = _table(_B58, bytes(range(58)), _NOT_B58)
_B32_CHARACTERS = _B32.encode("ascii") * 8
_B256_VALUES = {char: value for value, char in enumerate(_B256)}
_B36_PAIRS, _B58_PAIRS = _pairs(_B36), _pairs(_B58)


def _lanes(bits: int, width: int) -> int:
    """Return a mask of `bits` ones in every other group of `width` bytes, the lowest included."""
    return int.from_bytes(((1 << bits) - 1).to_bytes(2 * width, "big") * (128 // width), "big")


_WIDTHS = (1, 2, 4, 8, 16, 32, 64, 128)
_B58_FOLDS = tuple(
    (8 * width, _lanes(8 * width, width), 256**width - 58**width) for width in _WIDTHS
)
"""For groups of `width` characters: their bits, the mask of every other group, and the excess
weight of the groups between."""
_B32_SPLITS = tuple(
    (_lanes(5 * width, width) << 5 * width, (1 << 3 * width) - 1) for width in reversed(_WIDTHS)
)
"""For groups of `width` characters: the mask of every other group, and the shift to the start of
its own bytes."""


def decode_base58(text: str) -> bytes:
    """Decode base58btc.

    The digits start as the bytes of one integer. Each step joins all neighbours at once, so that n
    characters take log2(n) steps: a third of the time of a loop over the characters.

    Raises:
        BadCid: a character outside of the alphabet, or more than `MAX_CHARACTERS`.
    """
    if len(text) > MAX_CHARACTERS:
        raise _too_long(text)
    digits = text.encode("ascii", "replace").translate(_B58_DIGITS)
    if _NOT_B58 in digits:
        raise BadCid("a character is not base58")
    number = int.from_bytes(digits, "big")
    for bits, mask, excess in _B58_FOLDS:
        upper = number >> bits
        if not upper:
            break
        number -= (upper & mask) * excess
    return _to_bytes(number, len(text) - len(text.lstrip("1")))


def encode_base58(data: bytes) -> str:
    """Encode as base58btc."""
    return _encode_number(data, _B58, _B58_PAIRS)


def decode_base36(text: str) -> bytes:
    """Decode lower-case base36.

    Raises:
        BadCid: a character outside of the alphabet, or more than `MAX_CHARACTERS`.
    """
    if len(text) > MAX_CHARACTERS:
        raise _too_long(text)
    try:
        number = int(text.encode("ascii").translate(_B36_DIGITS), 36) if text else 0
    except ValueError:
        raise BadCid("a character is not lower-case base36") from None
    return _to_bytes(number, len(text) - len(text.lstrip("0")))


def encode_base36(data: bytes) -> str:
    """Encode as lower-case base36."""
    return _encode_number(data, _B36, _B36_PAIRS)


def _to_bytes(number: int, zeros: int) -> bytes:
    return number.to_bytes(zeros + (number.bit_length() + 7) // 8, "big")


def _encode_number(data: bytes, alphabet: str, pairs: tuple[str, ...]) -> str:
    number = int.from_bytes(data, "big")
    zeros = len(data) - len(data.lstrip(b"\0"))
    return alphabet[0] * zeros + _digits(number, pairs).lstrip(alphabet[0])


def _digits(number: int, pairs: tuple[str, ...]) -> str:
    """Return the digits of `number`, two at a time; one zero may be in front."""
    base = len(pairs)
    out: list[str] = []
    while number:
        number, pair = divmod(number, base)
        out.append(pairs[pair])
    out.reverse()
    return "".join(out)


def decode_base32(text: str) -> bytes:
    """Decode lower-case base32 without padding (RFC 4648).

    Raises:
        BadCid: a character outside of the alphabet, an invalid length, or non-zero unused bits.
    """
    size, unused = divmod(len(text) * 5, 8)
    if unused >= 5:
        raise BadCid(f"{len(text)} characters of base32 do not end on a byte")
    try:
        number = int(text.encode("ascii").translate(_B32_DIGITS), 32) if text else 0
    except ValueError:
        raise BadCid("a character is not lower-case base32") from None
    if number & ((1 << unused) - 1):
        raise BadCid("the unused bits of the base32 text are not zero")
    return (number >> unused).to_bytes(size, "big")


def encode_base32(data: bytes) -> str:
    """Encode as lower-case base32 without padding.

    Each step halves all groups of characters at once, until the five bits of each character are in
    a byte of their own.

    Raises:
        ValueError: more than 160 bytes, which are `MAX_CHARACTERS`.
    """
    size = (len(data) * 8 + 4) // 5
    if size > MAX_CHARACTERS:
        raise ValueError(f"{len(data)} bytes take more than {MAX_CHARACTERS} characters of base32")
    number = int.from_bytes(data, "big") << (size * 5 - len(data) * 8)
    for mask, shift in _B32_SPLITS:
        number += (number & mask) * shift
    return number.to_bytes(size, "big").translate(_B32_CHARACTERS).decode("ascii")


def decode_multibase(text: str) -> bytes:
    """Decode text whose first character names its base.

    Raises:
        BadCid: too long, an unknown base, or text that is not valid in its base.
    """
    if len(text) > MAX_CHARACTERS:
        raise _too_long(text)
    decode = _DECODERS.get(text[:1])
    if decode is not _decode_base256 and not text.isascii():  # also: "\u212a".lower() is "k"
        raise BadCid("a character is not ASCII")
    return decode(text[1:]) if decode else _decode_rare(text)


def _too_long(text: str) -> BadCid:
    return BadCid(f"{len(text)} characters are more than {MAX_CHARACTERS}")


def _decode_base16(text: str) -> bytes:
    if text != text.lower():
        raise BadCid("a character is not lower-case base16")
    try:
        return binascii.unhexlify(text)
    except ValueError:
        raise BadCid("the text is not base16") from None


def _decode_base64url(text: str) -> bytes:
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise BadCid("the text is not base64url") from None
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii") != text:
        raise BadCid("the text is not the canonical base64url of its value")
    return data


def _decode_base256(text: str) -> bytes:
    try:
        return bytes(_B256_VALUES[char] for char in text)
    except KeyError as exc:
        raise BadCid(f"character {exc.args[0]!r} is not base256emoji") from None


def _of_upper(decode: Callable[[str], bytes]) -> Callable[[str], bytes]:
    def decode_upper(text: str) -> bytes:
        if text != text.upper():
            raise BadCid("lower case after an upper-case prefix")
        return decode(text.lower())

    return decode_upper


_DECODERS: Mapping[str, Callable[[str], bytes]] = {
    "b": decode_base32,
    "z": decode_base58,
    "k": decode_base36,
    "f": _decode_base16,
    "u": _decode_base64url,
    _B256[0]: _decode_base256,
    "B": _of_upper(decode_base32),
    "K": _of_upper(decode_base36),
    "F": _of_upper(_decode_base16),
}


def _decode_rare(text: str) -> bytes:
    if not text:
        raise BadCid("the text is empty")
    if text[0] == "\0":
        raise BadCid("the identity base is for bytes, not for text")
    try:
        data = rare.decode(text)
        again = rare.get(code=text[0]).encode(data)
    except (MultibaseKeyError, KeyError):
        raise BadCid(
            f"no multibase has the prefix {text[0]!r}, or a character is not in its alphabet"
        ) from None
    except (ValueError, IndexError, TypeError) as exc:
        raise BadCid(f"the text is not valid for its base {text[0]!r}") from exc
    if text[0] == "7":  # multiformats adds padding, which the multibase table does not allow
        again = again.rstrip("=")
    if again != text:
        raise BadCid(f"the text is not the canonical form of its value in base {text[0]!r}")
    return data
