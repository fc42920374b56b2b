"""Names of hosts, in their one spelling: what the settings, requests and DNSLinks all mean by one.

RFC 1035, 2.3.4 bounds them. Underscores are taken, although RFC 952 has none: the DNS serves such
names, and services of Docker Compose are called so.
"""

import re
from typing import Final

MAX_NAME_CHARACTERS: Final = 253
MAX_LABEL_CHARACTERS: Final = 63

_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"(?=.{{1,{MAX_NAME_CHARACTERS}}}\Z){_LABEL}(?:\.{_LABEL})*")
_NUMERIC_END: Final = re.compile(r"(?:.*\.)?[0-9]+")


def canonical_host(text: str) -> str | None:
    """Return a host name in lower case without its final dot; None for what is none.

    Digits with dots are an address or nothing (RFC 1123, 2.1), and not looked at here.
    """
    name = text.lower().removesuffix(".")
    return name if text.isascii() and _NAME.fullmatch(name) else None


def parse_domain(text: str) -> str | None:
    """Return a domain name of two labels or more in its one spelling; None for anything else.

    An IPv4 address is none (RFC 1123, 2.1: the last label of a host name is not a number).
    """
    name = canonical_host(text)
    if name is not None and "." in name and not _NUMERIC_END.fullmatch(name):
        return name
    return None
