"""libp2p's public keys, and checks of their signatures.

https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md#keys. A key is a protobuf message
of a type and bytes; the type determines the format of the bytes and of signatures.
"""

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256K1,
    SECP256R1,
    SECP384R1,
    SECP521R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from gateway.content.protobuf import BYTES, VARINT, decode_field
from gateway.errors import BadBlock, BadRecord

MIN_RSA_BITS: Final = 2048  # go-libp2p, core/crypto: smaller ones can be broken
MAX_RSA_BITS: Final = 8192  # go-libp2p, core/crypto: larger ones cost too much
MAX_RSA_EXPONENT: Final = 2**31 - 1  # Go's crypto/rsa; without a limit one check takes milliseconds

_CURVES: Final = (SECP256R1, SECP384R1, SECP521R1)  # those of Go's crypto/x509, without P-224
_TYPE, _DATA = 1, 2  # numbers of the fields


class KeyType(IntEnum):
    """The key types of libp2p."""

    RSA = 0
    ED25519 = 1
    SECP256K1 = 2
    ECDSA = 3


def check_signature(key: bytes, message: bytes, signature: bytes) -> None:
    """Check the signature of a message.

    Args:
        key: public key, as libp2p's protobuf message.
        message: the signed bytes.
        signature: Ed25519 raw, RSA PKCS #1 v1.5, other types DER.

    Raises:
        BadRecord: the key is not usable, or the signature does not match.
    """
    kind, data = _decode(key)
    try:
        _CHECKS[kind](data, message, signature)
    except InvalidSignature:
        raise BadRecord("the signature does not match its key") from None
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise BadRecord(f"its {kind.name} key cannot be read") from exc


def _decode(key: bytes) -> tuple[KeyType, bytes]:
    kind: int | None = None
    data: bytes | None = None
    position = 0
    try:
        while position < len(key):
            field = decode_field(key, position)
            position = field.end
            if (field.number, field.wire) == (_TYPE, VARINT) and kind is None:
                kind = field.value
            elif (field.number, field.wire) == (_DATA, BYTES) and data is None:
                data = field.data
            else:
                raise BadRecord(f"its key has the unknown or repeated field {field.number}")
    except BadBlock as exc:
        raise BadRecord("its key is not a protobuf message") from exc
    if kind is None or data is None:
        raise BadRecord("its key has no type or no bytes")
    if kind not in KeyType.__members__.values():
        raise BadRecord(f"keys of type {kind} are not known")
    return KeyType(kind), data


def _check_rsa(data: bytes, message: bytes, signature: bytes) -> None:
    key = load_der_public_key(data)
    if not isinstance(key, RSAPublicKey):
        raise BadRecord("its RSA key has the data of another type")
    if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        raise BadRecord(f"an RSA key of {key.key_size} bits is refused")
    if key.public_numbers().e > MAX_RSA_EXPONENT:
        raise BadRecord("the exponent of its RSA key is too large")
    key.verify(signature, message, PKCS1v15(), SHA256())


def _check_ed25519(data: bytes, message: bytes, signature: bytes) -> None:
    Ed25519PublicKey.from_public_bytes(data).verify(signature, message)


def _check_secp256k1(data: bytes, message: bytes, signature: bytes) -> None:
    key = EllipticCurvePublicKey.from_encoded_point(SECP256K1(), data)
    key.verify(signature, message, ECDSA(SHA256()))


def _check_ecdsa(data: bytes, message: bytes, signature: bytes) -> None:
    key = load_der_public_key(data)
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, _CURVES):
        raise BadRecord("its ECDSA key is not on a supported NIST curve")
    key.verify(signature, message, ECDSA(SHA256()))


_CHECKS: Final[Mapping[KeyType, Callable[[bytes, bytes, bytes], None]]] = {
    KeyType.RSA: _check_rsa,
    KeyType.ED25519: _check_ed25519,
    KeyType.SECP256K1: _check_secp256k1,
    KeyType.ECDSA: _check_ecdsa,
}
