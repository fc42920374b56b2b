"""What the edge for content reports of each request."""

from collections.abc import Callable
from typing import Protocol

from gateway.ops.record import RequestRecord

WriteLine = Callable[[float, str, str], None]
"""`(now, client, request id)`: writes the line of one more request."""


class RequestObserver(Protocol):
    """Told of requests. Production: `gateway.wiring.app.RequestLog`."""

    def request_started(self) -> None:
        """A request came in."""
        ...

    def request_finished(self, record: RequestRecord) -> None:
        """It has ended, however it ended."""
        ...

    def counter(self, record: RequestRecord) -> Callable[[int], None]:
        """Return what counts so many more requests like one, each of which began and ended."""
        ...

    def line_writer(self, record: RequestRecord) -> WriteLine | None:
        """Return what writes the line of another request like one; None when there is no log."""
        ...
