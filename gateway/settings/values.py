"""Text of the configuration to values and back: sizes, durations, rates, addresses.

A `Kind` stands in the annotation of each setting (`disk_size: Size`), so that a section is
parsed, printed and documented from its own fields.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from gateway.host_names import canonical_host
from gateway.settings.shapes import Shape

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

SIZE_UNITS: Mapping[str, int] = {
    "B": 1,
    "kB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "TB": 1000**4,
    "KiB": KIB,
    "MiB": MIB,
    "GiB": GIB,
    "TiB": 1024 * GIB,
}
DURATION_UNITS: Mapping[str, float] = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
DURATION_OF_RATE: Mapping[str, float] = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
RATE_UNITS = tuple(DURATION_OF_RATE)

MAX_SIZE_BYTES = 2**63 - 1  # what SQLite and file systems count with
DNS_PORT = 53
MAX_UNIX_PATH_BYTES = 107  # sun_path of Linux is 108 with its NUL: unix(7)

_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]+)")
_RATE = re.compile(r"([0-9]{1,9})/([a-z]+)")
_PORT = re.compile(r"[0-9]{1,5}")


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Kind:
    """How one sort of setting is read from TOML and written back."""

    shape: Shape
    read: Callable[[Any], Any] = _same
    """Takes a TOML value of `shape`; raises ValueError with the reason."""
    write: Callable[[Any], Any] = _same
    """Takes the setting; what `read` would make the same setting of."""


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """A TCP address to listen on."""

    host: str
    """An IP address without brackets, or a name."""
    port: int
    """0 lets the system choose."""

    @property
    def is_loopback(self) -> bool:
        """Whether only programs on this machine can connect."""
        if canonical_host(self.host) == "localhost":
            return True
        return _is_address(self.host) and ipaddress.ip_address(self.host).is_loopback

    def __str__(self) -> str:
        """Return the text form, IPv6 in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A Unix socket to listen on."""

    path: str

    @property
    def is_loopback(self) -> bool:
        """Always: the file's permissions say who may connect."""
        return True

    def __str__(self) -> str:
        """Return the text form."""
        return f"unix:{self.path}"


ListenAddress = TcpAddress | UnixAddress


def parse_size(text: str) -> int:
    """Parse "10GiB" to bytes; "0" needs no unit.

    Raises:
        ValueError: with the reason.
    """
    if text == "0":
        return 0
    number, factor = _quantity(text, SIZE_UNITS, "10GiB")
    size = round(number * factor)
    if size > MAX_SIZE_BYTES:
        raise ValueError(f'"{text}" is more than any disk holds')
    return size


def format_size(size: int) -> str:
    """Write bytes in the largest unit that divides them."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size and size % SIZE_UNITS[unit] == 0:
            return f"{size // SIZE_UNITS[unit]}{unit}"
    return f"{size}B"


def parse_duration(text: str) -> float:
    """Parse "30s", "50ms", "2m", "1h" or "1d" to seconds.

    Raises:
        ValueError: with the reason; zero and less than a millisecond are refused, because a
            time that is over at once is a mistake and none at all is never wanted.
    """
    number, factor = _quantity(text, DURATION_UNITS, "30s")
    seconds = round(number * factor, 3)
    if seconds <= 0:
        raise ValueError(f'"{text}" must be more than zero')
    return seconds


def format_duration(seconds: float) -> str:
    """Write seconds in the largest unit that divides them."""
    milliseconds = round(seconds * 1000)
    for unit in ("h", "m", "s"):
        factor = round(DURATION_UNITS[unit] * 1000)
        if milliseconds % factor == 0:
            return f"{milliseconds // factor}{unit}"
    return f"{milliseconds}ms"


def _quantity(text: str, units: Mapping[str, float], example: str) -> tuple[float, float]:
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text}" is not a number with a unit, such as "{example}"')
    number, unit = match.groups()
    if unit not in units:
        raise ValueError(f'"{text}" has an unknown unit: {", ".join(units)} are known')
    return float(number) if "." in number else int(number), units[unit]


def parse_rate(text: str) -> str:
    """Check "600/minute"; the empty text turns a limit off.

    Raises:
        ValueError: with the reason.
    """
    if not text:
        return text
    match = _RATE.fullmatch(text)
    if match is None or match[2] not in RATE_UNITS:
        raise ValueError(f'"{text}" is not a rate such as "600/minute" ({", ".join(RATE_UNITS)})')
    if int(match[1]) == 0:
        raise ValueError(f'"{text}" lets nobody in; "" turns the limit off')
    return text


def parse_listen(text: str) -> ListenAddress:
    """Parse "host:port", "[IPv6]:port" or "unix:/path".

    Raises:
        ValueError: with the reason.
    """
    if text.startswith("unix:"):
        return _parse_unix(text.removeprefix("unix:"))
    host, colon, port = text.rpartition(":")
    if not colon or not _PORT.fullmatch(port) or int(port) > 65535:
        raise ValueError(f'"{text}" is not host:port with a port up to 65535, nor unix:/path')
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if not _is_address(host) or ":" not in host:
            raise ValueError(f'"{text}" has no IPv6 address in its brackets')
    elif ":" in host:
        raise ValueError(f'"{text}": an IPv6 address is written in brackets, "[::1]:8080"')
    elif not is_host(host):
        raise ValueError(f'"{text}" has no host; "0.0.0.0:{port}" listens on every address')
    return TcpAddress(host, int(port))


def parse_dns_server(text: str) -> TcpAddress:
    """Parse `1.1.1.1`, `1.1.1.1:53`, `::1` or `[::1]:53`.

    Raises:
        ValueError: it is none of them.
    """
    if _is_address(text):
        return TcpAddress(text, DNS_PORT)
    server = parse_listen(text)
    if not isinstance(server, TcpAddress) or not _is_address(server.host) or not server.port:
        raise ValueError(f'"{text}" is not the address of a server')
    return server


def _parse_unix(path: str) -> UnixAddress:
    if not path.startswith("/"):
        raise ValueError(f'"unix:{path}" needs an absolute path')
    if len(path.encode()) > MAX_UNIX_PATH_BYTES:
        raise ValueError(f'"unix:{path}" is longer than the {MAX_UNIX_PATH_BYTES} bytes of unix(7)')
    return UnixAddress(path)


def is_host(text: str) -> bool:
    """Tell whether `text` is a host name or an IPv4 address."""
    if text.replace(".", "").isdigit():
        return _is_address(text)
    return canonical_host(text) is not None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def parse_peer(text: str) -> str:
    """Check an address, a network or "unix": somebody who may say where requests come from.

    Raises:
        ValueError: with the reason.
    """
    if text == "unix":
        return text
    try:
        ipaddress.ip_network(text)
    except ValueError as exc:
        raise ValueError(f'"{text}" is no address, network or "unix" ({exc})') from None
    return text


def parse_origin(text: str) -> str:
    """Check an http or https URL that names a server and nothing more.

    Returns:
        `scheme://host[:port]`, without a final slash.

    Raises:
        ValueError: with the reason.
    """
    parts = _split(text)
    if parts.scheme not in {"http", "https"}:
        raise ValueError(f'"{text}" does not start with http:// or https://')
    if parts.username is not None or parts.password is not None:
        raise ValueError("the URL has a user name or a password in it")
    if parts.query or parts.fragment or text.endswith(("?", "#")):
        raise ValueError(f'"{text}" has a query or a fragment')
    if parts.path not in {"", "/"}:
        raise ValueError(f'"{text}" has a path: give the server alone, /ipfs is added to it')
    check_authority(text)
    return text.rstrip("/")


def check_authority(url: str) -> None:
    """Refuse a URL without a usable host, or with a port that cannot be.

    Raises:
        ValueError: with the reason.
    """
    parts = _split(url)
    try:
        port = parts.port
    except ValueError as exc:
        raise ValueError(f'"{url}" is not a URL ({exc})') from None
    host = parts.hostname or ""
    if not (is_host(host) or _is_address(host)):
        raise ValueError(f'"{url}" has no host')
    if port == 0:
        raise ValueError(f'"{url}" has the port 0')


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as exc:
        raise ValueError(f'"{url}" is not a URL ({exc})') from None
