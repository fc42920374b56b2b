"""The same tests once more with our nginx before each gateway (`make integration-nginx`)."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from urllib.parse import urlsplit

import pytest

from benchmarks.rig.harness import Server, free_port, running_nginx
from tests.integration.nginx_stack import configure, raise_limits

IS_ASKED_FOR = os.environ.get("GATEWAY_BEHIND_NGINX") == "1"
NAMES = (
    "server_name localhost *.ipfs.localhost *.ipns.localhost 127.0.0.1 h "
    "gateway.localhost *.ipfs.gateway.localhost *.ipns.gateway.localhost;\n"
)
"""What the tests call a gateway."""
TRUST = 'trusted_proxies = ["127.0.0.1"]' if IS_ASKED_FOR else ""
"""What the gateway has to be told of nginx, for `[server]`."""
NO_STATUS = 0
"""The connection ends, or begins, without a status line."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not as it is without nginx, and why."""

    where: str
    """A pattern: of the ids of tests that are left out or, with a status, of a request's bytes."""
    reason: str
    status: int | None = None
    """What nginx answers itself."""


DIFFERENCES = (
    # Nothing there goes through a gateway that nginx could stand before.
    Difference(r"test_names\.py", "it asks the names' room itself, not over HTTP"),
    Difference(r"test_nginx(_fleet)?\.py", "it has an nginx of its own"),
    Difference(
        r"test_(demo|upkeep)\.py",
        "commands as a person starts them; what the demo serves is in test_clients_browser.py",
    ),
    Difference(
        "test_clients_are_served_from_the_nearest_upstream",
        "the places are those of X-Forwarded-For, which nginx overwrites with the real address",
    ),
    # A gateway for each case: what nginx sees of them, it sees of those that are left.
    Difference(
        r"test_a_range_of_a_cold_file_is_the_same\[(?!v0-46MiB|v1-300MiB|trickle)",
        "borders of blocks are behind the gateway; 3 files of 19 are enough for nginx",
    ),
    Difference(
        r"test_a_liar_alone_is_named_and_nothing_is_kept\[(?!flipped-bit|drip\]|stall)",
        "nginx sees a 502 or a 504 of each lie; 3 of 20 are enough",
    ),
    Difference(
        r"test_liars\.py::test_a_liar_beside_an_honest_upstream_is_not_felt",
        "nginx sees none of it; lies in mid-body, which it could, are in another test",
    ),
    # What nginx answers itself, and the gateway never sees.
    Difference(r"^GET /ipfs/x\r", "HTTP/0.9: a bare page, no host and so not ours", NO_STATUS),
    Difference(r"^(BREW|XXX\w+) ", "methods that do not exist are refused as all others", 405),
    Difference(
        r"\nHost: (u@b|\[::1\]:|a{300})", "hosts that are not ours are refused as such", 421
    ),
    Difference(
        r"\nHost: h\r\n(Content-Length: 5|Transfer-Encoding: chunked)\r\n\r\n",
        "it waits client_body_timeout for a body, to throw it away; then it hangs up",
        NO_STATUS,
    ),
    Difference(r"\nTransfer-Encoding: xchunked", "RFC 9112, 6.1 has this for codings", 501),
    Difference(r"\nA: (b\r\nA: b|b{9})", "heads that are too large are 400 in nginx, not 431", 400),
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what means nothing behind nginx, if that is where the gateways are to be.

    Deselected, not skipped: what is skipped could have been run if something were there.
    """
    left_out = [row.where for row in DIFFERENCES if IS_ASKED_FOR and row.status is None]
    gone = [item for item in items if any(re.search(where, item.nodeid) for where in left_out)]
    if gone:
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if item not in gone]


def expected_statuses(request: str, direct: set[int]) -> set[int]:
    """Return what a request is to be answered with.

    Args:
        request: as it is sent.
        direct: what the gateway itself answers.
    """
    if not IS_ASKED_FOR:
        return direct
    rows = (row for row in DIFFERENCES if row.status is not None)
    return next(({row.status or 0} for row in rows if re.search(row.where, request)), direct)


@contextmanager
def open_front(folder: Path, gateway: Server) -> Iterator[Server]:
    """Give a gateway as clients are to see it: as it is, or with the URL of an nginx before it.

    Raises:
        Missing: nginx is not here.
    """
    if not IS_ASKED_FOR:
        yield gateway
        return
    port = free_port()
    home = Path(mkdtemp(prefix="nginx-", dir=folder)) / "nginx"
    configure(home, port, urlsplit(gateway.url).netloc, url_port=f":{port}")
    (home / "site" / "names.conf").write_text(NAMES)
    raise_limits(home)
    with running_nginx(home, f"http://127.0.0.1:{port}") as nginx:
        yield replace(gateway, url=nginx.url)
