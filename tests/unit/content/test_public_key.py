"""Signatures of libp2p's keys, and keys that are not taken."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.content.public_key import KeyType, check_signature
from gateway.errors import BadRecord
from tests.fakes.ipns_forge import Owner, field, owner, sign
from tests.refusal import check_refused

MESSAGE = b"what was said"
ED25519 = owner(KeyType.ED25519)


@pytest.mark.parametrize("kind", KeyType)
def test_a_signature_of_each_kind_of_key_is_taken(kind: KeyType) -> None:
    signer = owner(kind)
    check_signature(signer.public, MESSAGE, sign(signer.key, MESSAGE))


@pytest.mark.parametrize("kind", KeyType)
@pytest.mark.parametrize(
    ("message", "cut"),
    [
        pytest.param(MESSAGE + b"!", 0, id="another-message"),
        pytest.param(MESSAGE, 1, id="cut"),
        pytest.param(MESSAGE, 10_000, id="empty"),
    ],
)
def test_another_signature_is_refused(kind: KeyType, message: bytes, cut: int) -> None:
    signer = owner(kind)
    signature = sign(signer.key, MESSAGE)
    with pytest.raises(BadRecord, match="does not match its key"):
        check_signature(signer.public, message, signature[: len(signature) - cut])


def der_of(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def rsa_of(modulus_bits: int, exponent: int = 65537) -> bytes:
    """Return an RSA key that nobody knows the private half of."""
    numbers = rsa.RSAPublicNumbers(exponent, (1 << modulus_bits) - 1)
    key = numbers.public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


RSA_DER = rsa_of(2048)
SECP256K1_DER = der_of(ec.derive_private_key(1, ec.SECP256K1()))


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        pytest.param(b"", "no type or no bytes", id="empty"),
        pytest.param(field(1, 1), "no type or no bytes", id="no-bytes"),
        pytest.param(field(2, b"x"), "no type or no bytes", id="no-type"),
        pytest.param(ED25519.public[:-1], "not a protobuf message", id="cut"),
        pytest.param(ED25519.public + field(1, 1), "repeated field 1", id="type-twice"),
        pytest.param(ED25519.public + field(2, b""), "repeated field 2", id="bytes-twice"),
        pytest.param(ED25519.public + field(3, 1), "repeated field 3", id="more"),
        pytest.param(field(1, b"1") + field(2, b""), "repeated field 1", id="type-of-bytes"),
        pytest.param(field(1, 4) + field(2, b"x"), "type 4 are not known", id="unknown-type"),
        pytest.param(field(1, 1) + field(2, b"x" * 31), "ED25519 key cannot", id="short-ed25519"),
        pytest.param(field(1, 0) + field(2, b"x"), "RSA key cannot", id="no-rsa"),
        pytest.param(field(1, 0) + field(2, SECP256K1_DER), "another type", id="curve-as-rsa"),
        pytest.param(field(1, 0) + field(2, rsa_of(1024)), "of 1024 bits", id="small-rsa"),
        pytest.param(field(1, 0) + field(2, rsa_of(8200)), "of 8200 bits", id="large-rsa"),
        pytest.param(
            field(1, 0) + field(2, rsa_of(2048, 2**40 + 1)), "exponent", id="large-exponent"
        ),
        pytest.param(field(1, 2) + field(2, b"\x02" + b"\xff" * 32), "SECP256K1 key", id="off"),
        pytest.param(field(1, 2) + field(2, b"\x00"), "SECP256K1 key", id="at-infinity"),
        pytest.param(field(1, 3) + field(2, RSA_DER), "NIST curve", id="rsa-as-curve"),
        pytest.param(field(1, 3) + field(2, SECP256K1_DER), "NIST curve", id="other-curve"),
        pytest.param(field(1, 3) + field(2, b""), "ECDSA key cannot", id="no-ecdsa"),
    ],
)
def test_a_key_that_cannot_be_used_is_refused(key: bytes, reason: str) -> None:
    check_refused(BadRecord, reason, check_signature, key, MESSAGE, b"signature")


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1()], ids=["p384", "p521"])
def test_other_curves_of_nist_are_taken(curve: ec.EllipticCurve) -> None:
    signer = Owner(ec.derive_private_key(7, curve), KeyType.ECDSA)
    check_signature(signer.public, MESSAGE, sign(signer.key, MESSAGE))
