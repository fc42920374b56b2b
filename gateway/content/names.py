"""Names of mutable content: keys of IPNS records and DNSLink domains.

https://specs.ipfs.tech/ipns/ipns-record/#ipns-name. A key is the multihash of a libp2p public key,
written as a CID of codec libp2p-key or, as peer ids were, as bare base58.
"""

from typing import Final

from gateway.content.cid import DAG_PB, LIBP2P_KEY, Cid, parse_cid
from gateway.content.multibase import decode_base58
from gateway.content.multihash import decode_multihash
from gateway.errors import BadCid
from gateway.host_names import parse_domain

Name = Cid | str
"""A key (a CIDv1 of codec libp2p-key), or a domain name in lower case without a final dot."""

_PEER_ID: Final = ("Qm", "12D3KooW", "16Uiu2")
"""Prefixes of keys in base58: multihashes of sha2-256, and identity of Ed25519 and secp256k1."""


def parse_name(text: str) -> Name:
    """Parse the name after `/ipns/`.

    Raises:
        BadCid: neither a key nor a domain name.
    """
    domain = parse_domain(text)
    return parse_key(text) if domain is None else domain


def parse_key(text: str) -> Cid:
    """Parse a key in any of its text forms.

    CIDs of codec dag-pb are accepted, since keys were written so before libp2p-key existed.

    Raises:
        BadCid: not a key.
    """
    if text.startswith(_PEER_ID):
        data = decode_base58(text)
        _, _, end = decode_multihash(data)
        if end != len(data):
            raise BadCid(f"{len(data) - end} bytes follow the digest")
        return Cid(1, LIBP2P_KEY, data)
    cid = parse_cid(text)
    if cid.codec not in (LIBP2P_KEY, DAG_PB):
        raise BadCid("an IPNS name has the codec libp2p-key")
    return Cid(1, LIBP2P_KEY, cid.multihash)
