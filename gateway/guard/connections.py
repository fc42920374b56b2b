"""How many connections one client may have, so that there are some left for others.

An idle connection costs no request and holds a descriptor. One client may have as many as the
setting says, and never more than there are left: whoever fills half of the room gets no more, the
next one half of the rest, so that none takes all. Those of trusted proxies and of Unix sockets are
connections of many clients; only the room as a whole bounds them.
"""

import logging
from typing import Final

from gateway.guard.addresses import TrustedProxies, client_address
from gateway.guard.admission import client_key
from gateway.ports import Clock

TOLD_EVERY_S: Final = 60.0  # so often the log tells of connections that are refused
_PROXIES: Final = "proxies"

_log = logging.getLogger(__name__)


class ConnectionLimit:
    """Counts the connections of one listener in one process.

    Args:
        most: of one client; 0 for no limit but the room.
        room: of all clients together.
        trusted: proxies.
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
        self._told_at: float | None = None

    @property
    def total(self) -> int:
        """Connections that are counted now."""
        return self._total

    def enter(self, peer: str | None) -> str | None:
        """Count a connection, unless it is one too many.

        Args:
            peer: address of the other end; None for a Unix socket.

        Returns:
            What `leave` must be told at its end; None when it is one too many.
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
        if self._told_at is not None and now - self._told_at < TOLD_EVERY_S:
            return
        self._told_at = now
        _log.warning(
            "connections are refused, %d since this was said: %s has %d of %d, and %d are left",
            *(self._refused, client, count, self._total, self._room - self._total),
        )
        self._refused = 0
