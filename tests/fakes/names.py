"""Names in a table."""

from collections.abc import Mapping

from gateway.content.cid import Cid
from gateway.content.names import Name, parse_name
from gateway.content.path import ContentPath, MutablePath, parse_target
from gateway.errors import Attempt, HostUnknown, NotCached, NotFound
from gateway.ports import Hop, HostAnswer, NameRecord, NameResolver, Resolution


class TableNames:
    """Knows what it was told.

    Args:
        targets: name to what it points to: a content path, as text.
        ttl_s: seconds for which each of them stays true.
        records: key to the bytes of its record.
        is_stale: whether all of it should be asked for again.
        newer: what names point to when they are asked for again.
    """

    def __init__(
        self,
        targets: Mapping[str, str] | None = None,
        ttl_s: float | None = 60.0,
        records: Mapping[str, bytes] | None = None,
        *,
        is_stale: bool = False,
        newer: Mapping[str, str] | None = None,
    ) -> None:
        self._targets = {parse_name(name): text for name, text in (targets or {}).items()}
        self._newer = {parse_name(name): text for name, text in (newer or {}).items()}
        self._records = {parse_name(key): data for key, data in (records or {}).items()}
        self._ttl_s = ttl_s
        self._is_stale = is_stale
        self.asked: list[Name] = []
        self.host_error: HostUnknown | None = None
        self.hosts_until: float | None = None

    async def resolve(
        self, path: MutablePath, *, cached_only: bool = False, is_afresh: bool = False
    ) -> Resolution:
        if cached_only and path.name not in self.asked:
            raise NotCached(path.name)
        self.asked.append(path.name)
        if path.name not in self._targets:
            raise NotFound(path.name, (Attempt("table", "names", "does not have it"),))
        is_newer = is_afresh and path.name in self._newer
        text = self._newer[path.name] if is_newer else self._targets[path.name]
        target = parse_target(text)
        assert isinstance(target, ContentPath)
        segments = target.segments + path.segments
        content = ContentPath("ipfs", target.root, segments, path.is_directory)
        hop = Hop(path.name, target.segments)
        return Resolution(content, self._ttl_s, self._is_stale and not is_newer, (hop,))

    async def get_record(self, key: Cid, *, cached_only: bool = False) -> NameRecord:
        if cached_only and key not in self.asked:
            raise NotCached(key)
        self.asked.append(key)
        if key not in self._records:
            raise NotFound(key, (Attempt("table", "names", "does not have it"),))
        return NameRecord(self._records[key], 60)

    async def look_up_host(self, domain: str) -> HostAnswer:
        if self.host_error is not None:
            raise self.host_error
        return HostAnswer(domain in self._targets, self.hosts_until)


_: NameResolver = TableNames()
