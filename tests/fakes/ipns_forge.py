"""Keys of all kinds, and IPNS records that they sign, honest or not."""

from collections.abc import Mapping
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.content.cbor import BYTES, MAP, NEGATIVE, TEXT, UNSIGNED, encode_head
from gateway.content.cid import LIBP2P_KEY, Cid, make_cid
from gateway.content.ipns import IpnsRecord, verify_record
from gateway.content.multihash import HASHES, IDENTITY, SHA2_256
from gateway.content.protobuf import encode_uint64
from gateway.content.public_key import KeyType

INLINE_BYTES = 42  # peer-ids.md: longer keys are hashed
FOREVER = b"2099-01-01T00:00:00Z"
MINUTE_NS = 60 * 10**9
HELLO = b"/ipfs/bafkqabtimvwgy3yk"  # the text "hello\n", in the CID itself

PrivateKey = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey
Item = bytes | int


def field(number: int, value: Item) -> bytes:
    """Encode a field of a protobuf message."""
    if isinstance(value, int):
        return encode_uint64(number << 3) + encode_uint64(value)
    return encode_uint64(number << 3 | 2) + encode_uint64(len(value)) + value


def item(value: Item) -> bytes:
    """Encode an item of CBOR."""
    if isinstance(value, bytes):
        return encode_head(BYTES, len(value)) + value
    return encode_head(UNSIGNED, value) if value >= 0 else encode_head(NEGATIVE, -1 - value)


def cbor_map(items: Mapping[str, Item]) -> bytes:
    """Encode a map, in the order of DAG-CBOR."""
    keys = sorted(items, key=lambda key: (len(key), key))
    pairs = (encode_head(TEXT, len(key)) + key.encode() + item(items[key]) for key in keys)
    return encode_head(MAP, len(items)) + b"".join(pairs)


def public_bytes(key: PrivateKey, kind: KeyType) -> bytes:
    """Return libp2p's message of the public half."""
    public = key.public_key()
    if isinstance(public, ed25519.Ed25519PublicKey):
        data = public.public_bytes_raw()
    elif kind is KeyType.SECP256K1:
        data = public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    else:
        data = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return field(1, int(kind)) + field(2, data)


def sign(key: PrivateKey, message: bytes) -> bytes:
    """Sign as libp2p does."""
    match key:
        case ed25519.Ed25519PrivateKey():
            return key.sign(message)
        case rsa.RSAPrivateKey():
            return key.sign(message, padding.PKCS1v15(), SHA256())
        case _:
            return key.sign(message, ec.ECDSA(SHA256()))


class Owner:
    """Somebody with a key."""

    def __init__(self, key: PrivateKey, kind: KeyType) -> None:
        self.key = key
        self.public = public_bytes(key, kind)
        self.is_inline = len(self.public) <= INLINE_BYTES
        code = IDENTITY if self.is_inline else SHA2_256
        digest = self.public if self.is_inline else HASHES[SHA2_256].digest(self.public)
        self.name: Cid = make_cid(LIBP2P_KEY, code, digest)

    def data(self, value: bytes = HELLO, sequence: int = 1, **more: Item | None) -> bytes:
        """Return what is signed; `None` leaves a key out."""
        items: dict[str, Item | None] = {
            "Value": value,
            "Validity": FOREVER,
            "ValidityType": 0,
            "Sequence": sequence,
            "TTL": 5 * MINUTE_NS,
            **more,
        }
        return cbor_map({key: item for key, item in items.items() if item is not None})

    def seal(self, data: bytes, old: bytes = b"", *, with_key: bool | None = None) -> bytes:
        """Sign data.

        Args:
            data: what is signed.
            old: fields of the older form.
            with_key: whether the record holds the public key; by default if the name does not.
        """
        has_key = not self.is_inline if with_key is None else with_key
        key = field(7, self.public) if has_key else b""
        signature = sign(self.key, b"ipns-signature:" + data)
        return old + key + field(8, signature) + field(9, data)

    def raw(self, value: bytes = HELLO, sequence: int = 1, **more: Item | None) -> bytes:
        """Return a record of the newer form alone."""
        return self.seal(self.data(value, sequence, **more))

    def record(self, value: bytes = HELLO, sequence: int = 1, **more: Item | None) -> IpnsRecord:
        """Return a verified record."""
        return verify_record(self.name, self.raw(value, sequence, **more), 0.0)


@lru_cache
def owner(kind: KeyType = KeyType.ED25519, number: int = 0) -> Owner:
    """Return one of the owners of a kind; always the same one in a process."""
    match kind:
        case KeyType.RSA:
            return Owner(rsa.generate_private_key(65537, 2048), kind)
        case KeyType.ED25519:
            seed = bytes([number]) * 32
            return Owner(ed25519.Ed25519PrivateKey.from_private_bytes(seed), kind)
        case KeyType.SECP256K1:
            return Owner(ec.derive_private_key(number + 1, ec.SECP256K1()), kind)
        case KeyType.ECDSA:
            return Owner(ec.derive_private_key(number + 1, ec.SECP256R1()), kind)


def old_fields(value: bytes = HELLO, sequence: int = 1, **more: Item) -> bytes:
    """Return the fields of the older form that say what `Owner.data` says."""
    items: dict[str, Item] = {
        "value": value,
        "signature": b"never looked at",
        "validity_type": 0,
        "validity": FOREVER,
        "sequence": sequence,
        "ttl": 5 * MINUTE_NS,
        **more,
    }
    return b"".join(field(number, items[key]) for number, key in enumerate(items, 1))
