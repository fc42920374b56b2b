"""Roots as DNS labels: https://specs.ipfs.tech/http-gateways/subdomain-gateway/.

Browsers write host names in lower case, so a root has to be in a base without upper case; and a
label has at most 63 characters (RFC 1035, 2.3.4).
"""

from typing import Final

from gateway.content.cid import LIBP2P_KEY, Cid
from gateway.content.multibase import encode_base32, encode_base36
from gateway.errors import BadLabel
from gateway.host_names import MAX_LABEL_CHARACTERS

_TOO_LONG: Final = f"incompatible with DNS label length limit of {MAX_LABEL_CHARACTERS}"


def root_label(cid: Cid) -> str:
    """Return the label of a root: CIDv1 in base32, of a key or where that is too long in base36.

    Raises:
        BadLabel: too long in both.
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
    """Write a domain into one label, so that a certificate for one level covers it.

    Raises:
        BadLabel: too long.
    """
    label = domain.replace("-", "--").replace(".", "-")
    if len(label) > MAX_LABEL_CHARACTERS:
        raise BadLabel(f"DNSLink name {_TOO_LONG}: {label}")
    return label


def label_domain(label: str) -> str:
    """Return the domain that `domain_label` made a label of."""
    return "-".join(part.replace("-", ".") for part in label.split("--"))
