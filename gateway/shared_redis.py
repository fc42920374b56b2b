"""Connections to the Redis that several machines share, with its errors as one of ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.settings import SharedSettings

MAX_CONNECTIONS: Final = 16
"""Of one client; each part of a worker that uses Redis has its own."""


UNREADABLE: Final[tuple[type[Exception], ...]] = (ValueError, OverflowError, RecursionError)
"""Exceptions of parsing a hostile value: malformed or infinite numbers, text that is not UTF-8,
3,000 nested brackets."""


class RemoteError(Exception):
    """A command to the shared Redis failed or timed out."""


def connect(settings: SharedSettings) -> Redis:
    """Return a client that connects on demand."""
    # Waits for a free connection as long as for an answer; never retries.
    pool = BlockingConnectionPool.from_url(
        settings.redis,
        max_connections=MAX_CONNECTIONS,
        timeout=settings.timeout,
        socket_timeout=settings.timeout,
        socket_connect_timeout=settings.timeout,
        retry=Retry(NoBackoff(), 0),
    )
    return Redis.from_pool(pool)


@contextmanager
def translated(*more: type[Exception]) -> Iterator[None]:
    """Turn exceptions of the client, and of parsing its answers, into `RemoteError`.

    Args:
        more: further exceptions that the caller's own parsing may raise.

    Raises:
        RemoteError: with the text of the original exception.
    """
    failures: tuple[type[Exception], ...] = (RedisError, OSError, *UNREADABLE, *more)
    try:
        yield
    except failures as exc:
        raise RemoteError(str(exc) or type(exc).__name__) from exc
