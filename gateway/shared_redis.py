"""The connection to the Redis that several machines share."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.settings import SharedSettings

MAX_CONNECTIONS: Final = 16
"""Of one part of a worker."""


UNREADABLE: Final[tuple[type[Exception], ...]] = (ValueError, OverflowError, RecursionError)
"""What reading a made-up value raises: numbers that are none or have no end, text that is not
UTF-8, 3,000 brackets."""


class RemoteError(Exception):
    """A store of the shared tier did not do what it was asked, or not in time."""


def connect(settings: SharedSettings) -> Redis:
    """Make a client; connections are made when they are needed."""
    # Waits for a free connection as long as for an answer; repeats nothing on its own.
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
    """Turn what the client raises, also over answers that are no Redis, into `RemoteError`.

    Args:
        more: what else the caller's own reading of an answer may raise.
    """
    failures: tuple[type[Exception], ...] = (RedisError, OSError, *UNREADABLE, *more)
    try:
        yield
    except failures as exc:
        raise RemoteError(str(exc) or type(exc).__name__) from exc
