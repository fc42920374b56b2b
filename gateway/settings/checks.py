"""What is wrong only between settings: each alone is valid, together they are not."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from gateway.errors import BadSetting
from gateway.host_names import canonical_host
from gateway.settings.sections import Settings
from gateway.settings.values import TcpAddress, parse_listen

_ANY_ADDRESS = {"0.0.0.0", "::"}  # noqa: S104 (compared with, not listened on)
_DEFAULT_PORTS = {"http": 80, "https": 443}


def find_conflicts(settings: Settings) -> Iterator[BadSetting]:
    """Yield what does not fit together in settings that are valid one by one."""
    yield from _listeners(settings)
    yield from _retrieval(settings)
    yield from _upstreams(settings)
    yield from _selection(settings)
    yield from _cluster(settings)


def _listeners(settings: Settings) -> Iterator[BadSetting]:
    server, admin = parse_listen(settings.server.listen), parse_listen(settings.admin.listen)
    is_any_port = isinstance(server, TcpAddress) and server.port == 0
    if server == admin and not is_any_port:
        yield BadSetting("admin.listen", f'"{admin}" is server.listen, too')
    if not admin.is_loopback and not settings.admin.token:
        yield BadSetting("admin.token", f'is needed: "{admin}" can be reached from other machines')


def _retrieval(settings: Settings) -> Iterator[BadSetting]:
    retrieval = settings.retrieval
    for key in ("first_byte_timeout", "idle_timeout"):
        if getattr(retrieval, key) > retrieval.total_timeout:
            yield BadSetting(f"retrieval.{key}", "is longer than retrieval.total_timeout")


def _upstreams(settings: Settings) -> Iterator[BadSetting]:
    names: dict[str, int] = {}
    urls: dict[tuple[str, int | None], int] = {}
    for index, upstream in enumerate(settings.upstreams):
        where = f"upstreams[{index}]"
        origin = _origin(upstream.url)
        if (first := names.setdefault(upstream.name, index)) != index:
            yield BadSetting(f"{where}.name", f'"{upstream.name}" is upstreams[{first}], too')
        if (first := urls.setdefault(origin, index)) != index:
            yield BadSetting(f"{where}.url", f'"{upstream.url}" is upstreams[{first}], too')
        if (upstream.latitude is None) != (upstream.longitude is None):
            missing = "latitude" if upstream.latitude is None else "longitude"
            yield BadSetting(f"{where}.{missing}", "is needed beside the other coordinate")
        if _is_ourselves(settings.server.listen, origin):
            yield BadSetting(f"{where}.url", f'"{upstream.url}" is this gateway itself')


def _origin(url: str) -> tuple[str, int | None]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    return canonical_host(host) or host, parts.port or _DEFAULT_PORTS[parts.scheme]


def _is_ourselves(listen: str, origin: tuple[str, int | None]) -> bool:
    """Tell whether an upstream is our own listener, as far as the names say."""
    address = parse_listen(listen)
    if not isinstance(address, TcpAddress):
        return False
    host, port = origin
    named = TcpAddress(host, port or 0)
    is_same_host = host == (canonical_host(address.host) or address.host) or (
        named.is_loopback and (address.is_loopback or address.host in _ANY_ADDRESS)
    )
    return is_same_host and port == address.port


def _cluster(settings: Settings) -> Iterator[BadSetting]:
    cluster = settings.cluster
    if (cluster.user or cluster.password) and urlsplit(cluster.api).scheme == "http":
        host = urlsplit(cluster.api).hostname or ""
        if not TcpAddress(host, 0).is_loopback:
            yield BadSetting("cluster.api", "needs https:// so that the password stays secret")
    if cluster.authority and not cluster.api.startswith("https://"):
        yield BadSetting("cluster.authority", "is of no use without an https:// API")


def _selection(settings: Settings) -> Iterator[BadSetting]:
    for pin in settings.selection.pins:
        kind, _, code = pin.partition(":")
        if code not in [getattr(upstream, kind) for upstream in settings.upstreams]:
            yield BadSetting("selection.pins", f'no upstream is in "{pin}": nobody there is served')
