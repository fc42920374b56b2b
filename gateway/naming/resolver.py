"""Resolution of mutable paths to immutable ones, hop by hop."""

import asyncio
from collections.abc import Iterator
from typing import Final

from typing_extensions import override

from gateway.content.cid import Cid
from gateway.content.ipns import IpnsRecord
from gateway.content.names import Name
from gateway.content.path import MAX_SEGMENTS, ContentPath, MutablePath, parse_target
from gateway.errors import BadPath, BadTarget, DeadlineExceeded, NameLoop
from gateway.naming.dnslink import Dnslinks, Link
from gateway.naming.ipns import Keys, ttl_s
from gateway.ports import Clock, Denials, Hop, HostAnswer, NameRecord, NameResolver, Resolution

MAX_HOPS: Final = 32  # of records and DNSLinks together; boxo's DefaultDepthLimit
RESOLVE_S: Final = 60.0  # for all hops of one path; boxo's


class Names(NameResolver):
    """Production's `gateway.ports.NameResolver`: follows IPNS keys and DNSLinks.

    Args:
        keys: resolves IPNS keys.
        dnslinks: resolves domains.
        clock: the time.
        denials: checked for each name on the way; None for no denylist.
    """

    def __init__(
        self, keys: Keys, dnslinks: Dnslinks, clock: Clock, denials: Denials | None = None
    ) -> None:
        self._denials = denials
        self._keys = keys
        self._dnslinks = dnslinks
        self._clock = clock

    @override
    async def resolve(
        self, path: MutablePath, *, cached_only: bool = False, is_afresh: bool = False
    ) -> Resolution:
        """Follow a name to immutable content; see `ports.NameResolver`."""
        try:
            async with asyncio.timeout(RESOLVE_S):
                return await self._follow(path, cached_only=cached_only, is_afresh=is_afresh)
        except TimeoutError:
            raise DeadlineExceeded(path.name, []) from None

    async def _follow(self, path: MutablePath, *, cached_only: bool, is_afresh: bool) -> Resolution:
        links: list[Link] = []
        ways: list[tuple[Name, int]] = []
        name, segments = path.name, path.segments
        seen: set[Name] = set()
        while len(seen) < MAX_HOPS:
            seen.add(name)
            if self._denials is not None:
                self._denials.check(MutablePath(name, segments))
            ways.append((name, len(segments)))
            link = await self._get_link(name, cached_only=cached_only, is_afresh=is_afresh)
            links.append(link)
            segments = link.target.segments + segments
            if len(segments) > MAX_SEGMENTS:
                raise BadTarget(name, f"{len(segments)} segments are more than {MAX_SEGMENTS}")
            if isinstance(link.target, ContentPath):
                found = ContentPath("ipfs", link.target.root, segments, path.is_directory)
                ttl_s = min(_known(links), default=None)
                return Resolution(found, ttl_s, any(k.is_stale for k in links), _hops(ways, found))
            name = link.target.name
            if name in seen:
                break
        raise NameLoop(path.name, len(seen))

    async def _get_link(self, name: Name, *, cached_only: bool, is_afresh: bool) -> Link:
        if isinstance(name, str):
            return await self._dnslinks.get(name, cached_only=cached_only)
        held, is_stale = await self._keys.get(name, cached_only=cached_only, is_afresh=is_afresh)
        left_s = held.left_s(self._clock.monotonic())
        return Link(_target_of(held.value), left_s, is_stale=is_stale)

    @override
    async def get_record(self, key: Cid, *, cached_only: bool = False) -> NameRecord:
        """Return the newest valid record of a key; see `ports.NameResolver`.

        Its age in this cache does not shorten `max_age_s`: the TTL is part of the signed record,
        and boxo reports it in full, too.
        """
        held, is_stale = await self._keys.get(key, cached_only=cached_only)
        record = held.value
        left_s = record.valid_until - self._clock.now()
        max_age_s = 0 if is_stale else int(min(ttl_s(record), left_s))
        return NameRecord(record.raw, max(0, max_age_s))

    @override
    async def look_up_host(self, domain: str) -> HostAnswer:
        """Tell whether a domain has a DNSLink; see `ports.NameResolver`."""
        return await self._dnslinks.look_up(domain)

    async def close(self) -> None:
        """End all searches."""
        await self._dnslinks.close()
        await self._keys.close()


def _hops(ways: list[tuple[Name, int]], found: ContentPath) -> tuple[Hop, ...]:
    """Return the hops; `ways` has each name with the number of segments that followed it."""
    size = len(found.segments)
    return tuple([Hop(name, found.segments[: size - behind]) for name, behind in ways])


def _known(links: list[Link]) -> Iterator[float]:
    return (link.ttl_s for link in links if link.ttl_s is not None)


def _target_of(record: IpnsRecord) -> ContentPath | MutablePath:
    try:
        return parse_target(record.value.decode("utf-8"))
    except (UnicodeDecodeError, BadPath) as error:
        raise BadTarget(record.name, str(error)) from error
