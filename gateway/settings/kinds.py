"""The kinds of settings that the sections are annotated with."""

import re
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from gateway.host_names import parse_domain
from gateway.settings.shapes import Shape
from gateway.settings.values import (
    Kind,
    TcpAddress,
    check_authority,
    format_duration,
    format_size,
    is_host,
    parse_dns_server,
    parse_duration,
    parse_listen,
    parse_origin,
    parse_peer,
    parse_rate,
    parse_size,
)

CONTENT_NAMESPACES = ("/ipfs", "/ipns")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TOKEN = re.compile(r"[!-~]*")  # RFC 6750 allows less; no space and no control is what counts
_COUNTRY = re.compile(r"[A-Za-z]{2}")
CONTINENTS = ("AF", "AN", "AS", "EU", "NA", "OC", "SA")  # as MaxMind has them
_BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^/\s]+)*/?")
_REDIS_SCHEMES = ("redis://", "rediss://")


def whole(at_least: int, at_most: int) -> Kind:
    """Make the kind of a whole number within bounds."""

    def read(value: int) -> int:
        if not at_least <= value <= at_most:
            raise ValueError(f"{value} is not between {at_least} and {at_most}")
        return value

    return Kind(Shape.WHOLE, read)


def number(at_least: float, at_most: float) -> Kind:
    """Make the kind of a number within bounds."""

    def read(value: float) -> float:
        if not at_least <= value <= at_most:  # false for nan, too
            raise ValueError(f"{value} is not between {at_least:g} and {at_most:g}")
        return float(value)

    return Kind(Shape.NUMBER, read)


def one_of(*words: str) -> Kind:
    """Make the kind of a text that is one of a few words."""

    def read(value: str) -> str:
        if value not in words:
            known = ", ".join(f'"{word}"' for word in words)
            raise ValueError(f'"{value}" is not one of {known}')
        return value

    return Kind(Shape.TEXT, read)


def texts_of(*words: str) -> Kind:
    """Make the kind of a list that holds some of a few words."""
    word = one_of(*words)
    return Kind(Shape.TEXTS, lambda values: tuple(word.read(value) for value in values), list)


def _read_listen(text: str) -> str:
    return str(parse_listen(text))


def _read_not_empty(text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    return text


def is_name(text: str) -> bool:
    """Tell whether an upstream may be called so."""
    return _NAME.fullmatch(text) is not None


def _read_name(text: str) -> str:
    if not is_name(text):
        raise ValueError(f'"{text}" is not up to 64 letters, digits, dots, dashes or underscores')
    return text


def _read_token(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise ValueError("must be printable ASCII without spaces")
    return text


def _read_country(text: str) -> str:
    if not _COUNTRY.fullmatch(text):
        raise ValueError(f'"{text}" is not a country of two letters (ISO 3166-1)')
    return text.upper()


def _read_continent(text: str) -> str:
    if text.upper() not in CONTINENTS:
        raise ValueError(f'"{text}" is not one of {", ".join(CONTINENTS)}')
    return text.upper()


def _read_regions(values: list[str]) -> tuple[str, ...]:
    return tuple(_read_region(value) for value in values)


def _read_region(text: str) -> str:
    kind, colon, code = text.partition(":")
    if not colon or kind not in {"continent", "country"}:
        raise ValueError(f'"{text}" is neither "continent:EU" nor "country:SE"')
    read = _read_continent if kind == "continent" else _read_country
    return f"{kind}:{read(code)}"


def _read_peers(values: list[str]) -> tuple[str, ...]:
    return tuple(parse_peer(value) for value in values)


def _read_optional_origin(text: str) -> str:
    return parse_origin(text) if text else text


def _read_redis(text: str) -> str:
    if text:
        if not text.startswith(_REDIS_SCHEMES):
            raise ValueError("does not start with redis:// or rediss://")
        check_authority(text)
    return text


def _read_bucket(text: str) -> str:
    if text and not _BUCKET.fullmatch(text):
        raise ValueError(f'"{text}" is not "s3://bucket" or "s3://bucket/prefix"')
    return text


def _read_resolver(text: str) -> str:
    if text == "system":
        return text
    if text.startswith(("https://", "http://")):
        check_authority(text)
        if text.startswith("http://") and not TcpAddress(_host_of(text), 0).is_loopback:
            raise ValueError(f'"{text}" is neither https:// nor a service of this machine')
        return text
    try:
        parse_dns_server(text)
    except ValueError:
        raise ValueError(
            f'"{text}" is not "system", the address of a DNS server or an https:// URL'
        ) from None
    return text


def _host_of(url: str) -> str:
    return urlsplit(url).hostname or ""


def _read_domains(values: list[str]) -> tuple[str, ...]:
    for value in values:
        if value != "*" and not is_host(value.removeprefix("*.")):
            raise ValueError(f'"{value}" is not "example.com", "*.example.com" or "*"')
    return tuple(value.lower().removesuffix(".") for value in values)


def _read_dnslink(table: Mapping[str, str]) -> Mapping[str, str]:
    domains: dict[str, str] = {}
    spellings: dict[str, str] = {}
    for name, target in table.items():
        domain = parse_domain(name)
        if domain is None:
            raise ValueError(f'"{name}" is not a host name of two labels or more')
        if (first := spellings.setdefault(domain, name)) != name:
            raise ValueError(f'"{name}" is "{first}", too')
        if not target.startswith(tuple(f"{space}/" for space in CONTENT_NAMESPACES)):
            raise ValueError(f'"{name}": "{target}" starts with neither /ipfs/ nor /ipns/')
        domains[domain] = target
    return domains


Text = Annotated[str, Kind(Shape.TEXT)]
Texts = Annotated[tuple[str, ...], Kind(Shape.TEXTS, tuple, list)]
Flag = Annotated[bool, Kind(Shape.FLAG)]
FilledText = Annotated[str, Kind(Shape.TEXT, _read_not_empty)]
Size = Annotated[int, Kind(Shape.TEXT, parse_size, format_size)]
Duration = Annotated[float, Kind(Shape.TEXT, parse_duration, format_duration)]
Rate = Annotated[str, Kind(Shape.TEXT, parse_rate)]
Listen = Annotated[str, Kind(Shape.TEXT, _read_listen)]
Peers = Annotated[tuple[str, ...], Kind(Shape.TEXTS, _read_peers, list)]
Name = Annotated[str, Kind(Shape.TEXT, _read_name)]
Origin = Annotated[str, Kind(Shape.TEXT, parse_origin)]
OptionalOrigin = Annotated[str, Kind(Shape.TEXT, _read_optional_origin)]
Token = Annotated[str, Kind(Shape.TEXT, _read_token)]
Country = Annotated[str | None, Kind(Shape.TEXT, _read_country)]
Continent = Annotated[str | None, Kind(Shape.TEXT, _read_continent)]
Regions = Annotated[tuple[str, ...], Kind(Shape.TEXTS, _read_regions, list)]
Redis = Annotated[str, Kind(Shape.TEXT, _read_redis)]
Bucket = Annotated[str, Kind(Shape.TEXT, _read_bucket)]
Resolver = Annotated[str, Kind(Shape.TEXT, _read_resolver)]
Domains = Annotated[tuple[str, ...], Kind(Shape.TEXTS, _read_domains, list)]
Dnslink = Annotated[Mapping[str, str], Kind(Shape.TABLE, _read_dnslink, dict)]


def kind_of(annotation: Any) -> Kind:
    """Return the `Kind` in an annotation."""
    kind: Kind = annotation.__metadata__[0]
    return kind
