"""A limit on connections per client, so that one client cannot use up all descriptors.

An idle connection counts against no request rate and holds a descriptor. A client may have as many
connections as the setting allows, and never more than are free: one that holds half of all gets no
more, the next one gets half of the rest, and so on. Connections of trusted proxies and of Unix
sockets belong to many clients; only the total bounds them.
"""

import logging
from typing import Final

from gateway.guard.addresses import TrustedProxies, client_address
from gateway.guard.admission import client_key
from gateway.ports import Clock

LOG_EVERY_S: Final = 60.0  # at most one log line about refused connections in so many seconds
_PROXIES: Final = "proxies"

_log = logging.getLogger(__name__)


class ConnectionLimit:
    """Counts the connections of one listener in one process.

    Args:
        most: connections of one client; 0 for no limit but `room`.
        room: connections of all clients together.
        trusted: the trusted proxies.
        clock: monotonic time.
    """

    def __init__(self, most: int, room: int, trusted: TrustedProxies, clock: Clock) -> None:
        self._most = most or room
        self._room = room
        self._trusted = trusted
        self._clock = clock
        self._counts: dict[str, int] = {}
        self._total = 0
        self._refused = 0
        self._logged_at: float | None = None

    @property
    def total(self) -> int:
        """Open connections."""
        return self._total

    def enter(self, peer: str | None) -> str | None:
        """Count a connection, unless it exceeds a limit.

        Args:
            peer: address of the other end; None for a Unix socket.

        Returns:
            The argument for `leave` at its end; None if the connection must be refused.
        """
        client = self._client(peer)
        count, left = self._counts.get(client, 0), self._room - self._total
        if left <= 0 or (client != _PROXIES and count >= min(self._most, left)):
            self._refuse(client, count)
            return None
        self._counts[client] = count + 1
        self._total += 1
        return client

    def leave(self, client: str) -> None:
        """Count the end of a connection."""
        self._total -= 1
        count = self._counts.pop(client) - 1
        if count:
            self._counts[client] = count

    def _client(self, peer: str | None) -> str:
        if peer is None or self._trusted.has_peer(peer):
            return _PROXIES
        return client_key(client_address(peer, (), self._trusted))

    def _refuse(self, client: str, count: int) -> None:
        self._refused += 1
        now = self._clock.monotonic()
        if self._logged_at is not None and now - self._logged_at < LOG_EVERY_S:
            return
        self._logged_at = now
        _log.warning(
            "refused %d connections since the last such line: %s has %d of %d open, %d are free",
            *(self._refused, client, count, self._total, self._room - self._total),
        )
        self._refused = 0
