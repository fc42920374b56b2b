"""The interface through which `web` reports requests to metrics and the access log."""

from collections.abc import Callable
from typing import Protocol

from gateway.ops.record import RequestRecord

WriteLine = Callable[[float, str, str], None]
"""Writes the access log line of one more request: `(wall time, client, request id)`."""


class RequestObserver(Protocol):
    """Receives requests as they start and end. Production: `gateway.wiring.app.RequestLog`."""

    def request_started(self) -> None:
        """Count a request that begins."""
        ...

    def request_finished(self, record: RequestRecord) -> None:
        """Count and log a request that ended, whatever its outcome."""
        ...

    def counter(self, record: RequestRecord) -> Callable[[int], None]:
        """Return a function that counts a number of further requests equal to `record`."""
        ...

    def line_writer(self, record: RequestRecord) -> WriteLine | None:
        """Return a writer of log lines like that of `record`; None without an access log."""
        ...
