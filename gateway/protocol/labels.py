"""Roots of content paths as DNS labels: https://specs.ipfs.tech/http-gateways/subdomain-gateway/.

Browsers write host names in lower case, so a root must be in a base without upper case. A label has
at most 63 characters (RFC 1035, 2.3.4).
"""

from typing import Final

from gateway.content.cid import LIBP2P_KEY, Cid
from gateway.content.multibase import encode_base32, encode_base36
from gateway.errors import BadLabel
from gateway.host_names import MAX_LABEL_CHARACTERS

_TOO_LONG: Final = f"incompatible with DNS label length limit of {MAX_LABEL_CHARACTERS}"


def root_label(cid: Cid) -> str:
    """Return the label of a root: CIDv1 in base32; in base36 for keys and for long CIDs.

    Raises:
        BadLabel: the CID is too long in both bases.
    """
    data = cid.as_v1().encode()
    if cid.codec != LIBP2P_KEY:
        label = "b" + encode_base32(data)
        if len(label) <= MAX_LABEL_CHARACTERS:
            return label
    label = "k" + encode_base36(data)
    if len(label) > MAX_LABEL_CHARACTERS:
        raise BadLabel(f"CID {_TOO_LONG}: {label}")
    return label


def domain_label(domain: str) -> str:
    """Return a domain name as one label, so that a wildcard certificate covers it.

    Raises:
        BadLabel: the label is too long.
    """
    label = domain.replace("-", "--").replace(".", "-")
    if len(label) > MAX_LABEL_CHARACTERS:
        raise BadLabel(f"DNSLink name {_TOO_LONG}: {label}")
    return label


def label_domain(label: str) -> str:
    """Return the domain name of a label that `domain_label` made."""
    return "-".join(part.replace("-", ".") for part in label.split("--"))
