"""The two stores behind the shared tier: Redis for small blocks, a bucket for large ones.

Redis is spoken to directly. aiocache, which `gateway.naming` uses, adds a serializer, key
prefixes and a time limit of its own, and has none of what is needed here: streams for purges,
and several keys in one command.
"""

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from obstore.exceptions import BaseError
from obstore.store import S3Store

from gateway.content.block import MAX_BLOCK_BYTES
from gateway.settings import SharedSettings, TcpAddress
from gateway.shared_redis import connect, translated

KEY_PREFIX: Final = b"ipfs-gateway:block:"
PURGES: Final = "ipfs-gateway:purges"
"""A stream: an entry for each purge, with the multihashes, which all machines follow."""
MAX_PURGES: Final = 10_000
MAX_KEY_BYTES: Final = 160
"""Of a multihash: an identity of 128 bytes is the longest; what is longer names no block."""
HERE: Final = b"\0"
"""First byte of a value: the block follows."""
IN_BUCKET: Final = b"\1"
"""The whole value, for a block that is in the bucket."""
_PLACE: Final = re.compile("[0-9]{1,20}-[0-9]{1,20}")
REGION: Final = "us-east-1"  # S3's own default; other servers do not care


class PurgeEntry(NamedTuple):
    """One purge by some machine."""

    place: str
    """In the stream, to go on from."""
    keys: tuple[bytes, ...]


class RedisBlocks:
    """Small blocks, and which large ones are in the bucket, by multihash."""

    def __init__(self, settings: SharedSettings) -> None:
        """Make a client; connections are made when they are needed."""
        self._redis = connect(settings)

    async def close(self) -> None:
        """Close all connections."""
        await self._redis.aclose()

    async def get(self, key: bytes) -> bytes | None:
        """Return a value: `HERE` and the block, `IN_BUCKET`, or None."""
        with translated():
            value: Any = await self._redis.get(KEY_PREFIX + key)
        return value if isinstance(value, bytes) else None

    async def put(self, key: bytes, value: bytes) -> None:
        """Keep a value. It has no end: Redis evicts (`maxmemory-policy allkeys-lru`)."""
        with translated():
            await self._redis.set(KEY_PREFIX + key, value)

    async def remove(self, keys: Sequence[bytes]) -> None:
        """Forget blocks."""
        with translated():
            await self._redis.delete(*(KEY_PREFIX + key for key in keys))

    async def announce_purge(self, keys: Sequence[bytes]) -> None:
        """Tell all machines that blocks were purged."""
        with translated():
            fields: dict[Any, Any] = {"keys": b" ".join(key.hex().encode("ascii") for key in keys)}
            await self._redis.xadd(PURGES, fields, maxlen=MAX_PURGES, approximate=True)

    async def purges_after(self, place: str) -> list[PurgeEntry]:
        """Return the purges since a place in the stream (`milliseconds-number`)."""
        with translated(TypeError, LookupError, AttributeError):  # of another shape than it should
            answer: Any = await self._redis.xread({PURGES: place}, count=100)
            # By version of the protocol: [[stream, entries]] or {stream: [entries]}.
            streams = answer.values() if isinstance(answer, dict) else [item[1] for item in answer]
            entries = [entry for stream in streams for entry in _flat(stream)]
            return [PurgeEntry(_place_of(place), _keys_of(fields)) for place, fields in entries]


class BucketBlocks:
    """Large blocks as objects of a bucket, by multihash."""

    def __init__(self, settings: SharedSettings) -> None:
        """Make a client; keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."""
        bucket, _, prefix = settings.bucket.removeprefix("s3://").partition("/")
        endpoint: dict[str, Any] = {"endpoint": settings.endpoint} if settings.endpoint else {}
        options: Any = {"allow_http": settings.endpoint.startswith("http://")}
        options |= _around_proxies(settings.endpoint)
        self._store = S3Store(
            bucket,
            prefix=prefix.rstrip("/") or None,
            region=REGION,
            client_options=options,
            retry_config={"max_retries": 0},
            **endpoint,
        )

    async def get(self, key: bytes) -> bytes | None:
        """Return the bytes of an object, None if there is none."""
        with translated(BaseError):
            try:
                found = await self._store.get_async(_path(key))
            except FileNotFoundError:
                return None
            if found.meta["size"] > MAX_BLOCK_BYTES:
                return b""  # no block; the hash says so
            return bytes(await found.bytes_async())

    async def put(self, key: bytes, data: bytes) -> None:
        """Keep an object."""
        with translated(BaseError):
            await self._store.put_async(_path(key), data, use_multipart=False)

    async def remove(self, keys: Sequence[bytes]) -> None:
        """Delete objects."""
        with translated(BaseError):
            await self._store.delete_async([_path(key) for key in keys])


def _around_proxies(endpoint: str) -> dict[str, Any]:
    """Return the options with which an endpoint on loopback is asked without a proxy.

    The client takes one from the environment unless it is given one itself; so it is given one
    that is for nobody.
    """
    host = urlsplit(endpoint).hostname or ""
    if not TcpAddress(host, 0).is_loopback:
        return {}
    return {"proxy_url": endpoint, "proxy_excludes": host}


def _path(key: bytes) -> str:
    name = key.hex()
    return f"{name[-2:]}/{name}"


def _flat(stream: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """Return the entries of a stream; the newer protocol wraps them once more."""
    entries: list[tuple[bytes, dict[bytes, bytes]]]
    entries = stream[0] if stream and isinstance(stream[0], list) else stream
    return entries


def _place_of(place: bytes) -> str:
    """Return a place that can be gone on from.

    Raises:
        ValueError: there is no such place, so that Redis would refuse every further question.
    """
    text = place.decode("ascii")
    if not _PLACE.fullmatch(text):
        raise ValueError(f"{text[:50]!r} is no place in a stream")
    return text


def _keys_of(fields: dict[bytes, bytes] | None) -> tuple[bytes, ...]:
    """Return the multihashes of a purge; the fields of an entry that was deleted are None."""
    try:
        texts = (fields or {}).get(b"keys", b"").decode("ascii").split()
        return tuple(bytes.fromhex(text) for text in texts if len(text) <= 2 * MAX_KEY_BYTES)
    except ValueError:  # somebody else writes to our stream
        return ()
