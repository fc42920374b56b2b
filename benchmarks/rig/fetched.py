"""Files that are fetched once, timed and compared with what they should be."""

import hashlib
import http.client
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from benchmarks.data.content import digest

_READ_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Size:
    """Files of one size; each is asked for once through each gateway, since then it is warm."""

    label: str
    size: int
    files: int

    @property
    def names(self) -> list[str]:
        """Paths below the root."""
        return [f"{self.size}-{number}.bin" for number in range(self.files)]


@dataclass(frozen=True, slots=True)
class Fetched:
    """One answer: milliseconds to its first body byte and to its last one."""

    first_ms: float
    total_ms: float


def fetch_file(base: str, root: str, name: str, size: Size) -> Fetched:
    """Fetch one file over a new connection; its bytes are compared after the clock has stopped."""
    address = urlsplit(base)
    body = bytearray(size.size)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    connection.connect()
    started = time.perf_counter()
    connection.request("GET", f"/ipfs/{root}/{name}")
    response = connection.getresponse()
    view, filled, first = memoryview(body), 0, 0.0
    while filled < size.size:
        count = response.readinto(view[filled : filled + _READ_BYTES])
        if not count:
            break
        first = first or time.perf_counter() - started
        filled += count
    total = time.perf_counter() - started
    connection.close()
    if hashlib.sha256(body).hexdigest() != digest(name, size.size):
        raise AssertionError(f"{base}: {name} is not what it should be ({response.status})")
    return Fetched(first * 1000, total * 1000)
