"""A parser for the provider records of a delegated router. Pure.

https://specs.ipfs.tech/routing/http-routing-v1/; JSON or NDJSON. Only providers of the trustless
gateway protocol over HTTP are kept.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.net.json_lines import parse_json_lines
from gateway.settings import parse_origin

MAX_PROVIDERS: Final = 100  # the specification's default limit of an answer
HTTP: Final = "transport-ipfs-gateway-http"
_ID: Final = re.compile(r"[0-9A-Za-z]{1,128}")
"""A peer ID: base58 of a multihash, or a CID with the key itself in it (libp2p's peer-ids.md)."""
_HOSTS: Final = frozenset({"ip4", "ip6", "dns", "dns4", "dns6"})
_SCHEMES: Final[Mapping[tuple[str, ...], str]] = {
    ("http",): "http",
    ("https",): "https",
    ("tls", "http"): "https",
}


@dataclass(frozen=True, slots=True)
class Provider:
    """A peer that has announced content, reachable over HTTP."""

    id: str
    urls: tuple[str, ...]
    """`scheme://host:port`, at least one."""


def parse_providers(data: bytes) -> list[Provider]:
    """Parse the answer to `/routing/v1/providers/{cid}`; unusable records are skipped."""
    found = (_parse_provider(record) for record in _records(data))
    return [provider for provider in found if provider is not None][:MAX_PROVIDERS]


def _records(data: bytes) -> Iterator[Mapping[str, Any]]:
    for record in parse_json_lines(data):
        listed = record.get("Providers", [record]) if isinstance(record, dict) else []
        if isinstance(listed, list):
            yield from (one for one in listed if isinstance(one, dict))


def _parse_provider(record: Mapping[str, Any]) -> Provider | None:
    protocols, addresses = record.get("Protocols"), record.get("Addrs")
    identity = record.get("ID")
    if not isinstance(protocols, list) or HTTP not in protocols:
        return None
    if not isinstance(identity, str) or not _ID.fullmatch(identity):
        return None  # it becomes part of names, headers and logs
    texts = addresses if isinstance(addresses, list) else []
    urls = tuple(dict.fromkeys(url for text in texts if (url := url_of(text))))
    return Provider(identity, urls) if urls else None


def url_of(address: object) -> str:
    """Return the URL of an HTTP multiaddress; empty for any other value.

    `/dns4/a.example/tcp/443/https` and `/dns/a.example/tcp/443/tls/http` are equivalent.
    """
    if not isinstance(address, str) or not address.isascii():
        return ""
    empty, *parts = address.split("/")
    if empty or len(parts) < 5 or parts[0] not in _HOSTS or parts[2] != "tcp":
        return ""
    host = f"[{parts[1]}]" if parts[0] == "ip6" else parts[1]
    scheme = _SCHEMES.get(tuple(_without_sni(parts[4:], parts[1])), "")
    try:
        return parse_origin(f"{scheme}://{host}:{parts[3]}") if scheme else ""
    except ValueError:
        return ""


def _without_sni(parts: list[str], host: str) -> list[str]:
    """Remove `sni/{host}`, which a URL implies; a different name stays and makes it unusable."""
    if parts[:2] == ["tls", "sni"] and parts[2:3] == [host]:
        return ["tls", *parts[3:]]
    return parts
