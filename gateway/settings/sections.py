"""The settings themselves: one frozen class per section of the file, defaults included."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from gateway.settings.kinds import (
    CONTENT_NAMESPACES,
    Bucket,
    Continent,
    Country,
    Dnslink,
    Domains,
    Duration,
    FilledText,
    Flag,
    Listen,
    Name,
    OptionalOrigin,
    Origin,
    Peers,
    Rate,
    Redis,
    Regions,
    Resolver,
    Size,
    Text,
    Texts,
    Token,
    number,
    one_of,
    texts_of,
    whole,
)
from gateway.settings.values import GIB, MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """The public listener: what clients, or nginx, connect to."""

    listen: Listen = "127.0.0.1:8080"
    """`host:port`, `[IPv6]:port` or `unix:/path`. Port 0 lets the system choose."""
    workers: Annotated[int, whole(1, 256)] = 1
    """Processes that serve. One per core when this machine does nothing else."""
    trusted_proxies: Peers = ()
    """Whose X-Forwarded-For, -Host and -Proto are believed: addresses, networks, `unix`."""
    max_concurrent_requests: Annotated[int, whole(1, 1_000_000)] = 4096
    """Requests under way in one worker; the next one gets 429. Boxo's default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminSettings:
    """The listener for operators: metrics, health, statistics. Never on the public one."""

    listen: Listen = "127.0.0.1:8081"
    """As `server.listen`, and another one than that."""
    token: Token = field(default="", repr=False)
    """Bearer token; needed unless the listener is loopback, and when set asked for there too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSettings:
    """How one public host name is served; as Kubo's Gateway.PublicGateways."""

    subdomains: Flag = True
    """Give every root an origin of its own, `{cid}.ipfs.{host}`."""
    inline_dnslink: Flag = True
    """Write DNSLink names into one label, so that one wildcard certificate is enough."""
    paths: Annotated[tuple[str, ...], texts_of(*CONTENT_NAMESPACES)] = CONTENT_NAMESPACES
    """Namespaces served under this host."""
    dnslink: Flag = True
    """Show the host's own DNSLink website at paths that are none of these namespaces."""
    deserialized: Flag = True
    """Answer with files and pages; false leaves blocks, CARs and IPNS records, for programs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamesSettings:
    """How mutable names become paths."""

    dnslink: Dnslink = field(default_factory=dict[str, str])
    """A static map, asked before DNS: host name to `/ipfs/...` or `/ipns/...`."""
    resolver: Resolver = "system"
    """`system`, the address of a DNS server, or the URL of a DNS-over-HTTPS service."""
    allowed: Domains = ("*",)
    """Domains that DNS may be asked about: `example.com`, `*.example.com` or `*`; none for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSettings:
    """Where blocks are kept, and how many."""

    directory: FilledText = "~/.cache/ipfs-gateway"
    """Folder of the disk tier; `~` is the home folder, and `$XDG_CACHE_HOME` is respected."""
    disk_size: Size = 10 * GIB
    """Bytes of the disk tier, shared by all workers. 0 turns it off."""
    memory_size: Size = 256 * MIB
    """Bytes of the memory tier, per worker. 0 turns it off."""
    read_verification: Annotated[Literal["cid", "tag"], one_of("cid", "tag")] = "cid"
    """What a block read from disk is checked against: its CID, or a keyed tag."""
    disk_admission: Annotated[Literal["all", "second-hit"], one_of("all", "second-hit")] = "all"
    """What is written to disk: all, or what is fetched for the second time."""
    tag_key: FilledText = "~/.local/state/ipfs-gateway/tag.key"
    """File of the key of the tags; made when it is not there. Never in `directory`;
    `$XDG_STATE_HOME` is respected."""
    scrub_rate: Size = 0
    """Bytes of the disk tier that are hashed again in each second, in the background. 0 turns it
    off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalSettings:
    """How blocks are asked for, and how long is waited for them."""

    mode: Annotated[Literal["car", "block"], one_of("car", "block")] = "car"
    """What is asked for first: whole DAGs as CAR, or block by block."""
    first_byte_timeout: Duration = 10.0
    """An upstream that says nothing for so long is left for the next."""
    idle_timeout: Duration = 10.0
    """So is one that falls silent in the middle of a body."""
    total_timeout: Duration = 3600.0
    """The deadline of one client request, all upstreams included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamSettings:
    """One trustless gateway to fetch from."""

    name: Name
    """Its name in logs, metrics and headers; unique."""
    url: Origin
    """`http://host:port` or `https://host`."""
    tier: Annotated[Literal["cluster", "public", "routed"], one_of("cluster", "public")] = "public"
    """`cluster` nodes are asked first, `public` ones only when no cluster node has it.
    (`routed` are those that a router told of; none is configured.)"""
    country: Country = None
    """Where it is: ISO 3166-1, two letters."""
    latitude: Annotated[float | None, number(-90, 90)] = None
    """Degrees north; with `longitude`."""
    longitude: Annotated[float | None, number(-180, 180)] = None
    """Degrees east; with `latitude`."""
    continent: Continent = None
    """Where it is, for pins and when no coordinates are known: AF, AN, AS, EU, NA, OC or SA."""
    peer: Text = ""
    """Which peer of the cluster it belongs to, by peer name or id; the upstream's name when
    empty."""
    concurrency: Annotated[int, whole(1, 10_000)] = 256
    """Requests of one worker that it may have under way; more wait, or go elsewhere."""

    requests: Rate = ""
    """Requests that it allows us, all workers together; empty for no limit."""
    daily_requests: Annotated[int, whole(0, 1_000_000_000)] = 0
    """Likewise, of one day; 0 for no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingSettings:
    """A delegated router: who else has what no upstream has."""

    url: OptionalOrigin = ""
    """A server with `/routing/v1`; empty for none."""
    requests: Rate = "60/minute"
    """Questions that one worker may ask it; empty for no limit."""
    allow_private: Flag = False
    """Whether providers may have private addresses: for a router of one's own network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionSettings:
    """Which upstream serves whom."""

    pins: Regions = ()
    """Regions whose clients are served from upstreams inside only: `continent:EU`, `country:SE`."""
    debug_header: Flag = False
    """Tell clients in `X-Ipfs-Upstream` which upstreams were chosen, why, and by which numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """The IPFS Cluster of the operator: which nodes there are, and who holds what."""

    api: OptionalOrigin = ""
    """Its REST API, `http://host:9094`; empty for none."""
    user: Text = ""
    """For basic authentication; empty for none."""
    password: Token = field(default="", repr=False)
    """Likewise."""
    authority: Text = ""
    """A file of certificates that are believed for `https://`; empty for those of the system."""
    gateway_port: Annotated[int, whole(0, 65_535)] = 8080
    """Where the gateways of its nodes listen: nodes that are not configured are found by the API
    and asked there. 0 leaves it at those that are configured."""
    search: Flag = True
    """Whether nodes are asked for what none of them holds: Kubo looks for it in the network then,
    and is silent meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedSettings:
    """The cache tier that several machines share; off while `redis` and `bucket` are empty."""

    redis: Redis = ""
    """`redis://host:port/database`, for small blocks, records of names and counts of clients."""
    bucket: Bucket = ""
    """`s3://bucket/prefix`, for large blocks."""
    endpoint: OptionalOrigin = ""
    """An S3 server other than Amazon's."""
    timeout: Duration = 0.05
    """A shared tier slower than this is a miss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeoipSettings:
    """Where clients are."""

    database: Text = ""
    """A MaxMind or flat .mmdb file; empty for none. Read again when it changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsSettings:
    """How much one client may ask for."""

    requests: Rate = "600/minute"
    """Requests of one client (an IPv4 address, an IPv6 /64); empty turns the limit off."""
    burst: Annotated[int, whole(1, 1_000_000)] = 100
    """Requests that may come at once."""
    connections: Annotated[int, whole(0, 1_000_000)] = 1024
    """Connections of one client to one worker, and never more than are left for all others; 0 for
    the latter alone. Those of trusted proxies and of Unix sockets are not counted by client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DenylistSettings:
    """What is never served."""

    files: Texts = ()
    """Files or folders in the compact denylist format."""
    incomplete: Annotated[Literal["warn", "refuse"], one_of("warn", "refuse")] = "warn"
    """What a list does at the start that is empty, has no rule that can be read or ends inside a
    line. Later the last good rules stay in any case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """What is written to standard error."""

    access: Annotated[Literal["json", "combined", "off"], one_of("json", "combined", "off")] = (
        "json"
    )
    """One line per request: as JSON, in nginx's combined format, or none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The whole configuration. Classes take their section, never this."""

    server: ServerSettings = field(default_factory=ServerSettings)
    admin: AdminSettings = field(default_factory=AdminSettings)
    hosts: Mapping[str, HostSettings] = field(default_factory=dict[str, HostSettings])
    names: NamesSettings = field(default_factory=NamesSettings)
    cache: CacheSettings = field(default_factory=CacheSettings)
    retrieval: RetrievalSettings = field(default_factory=RetrievalSettings)
    upstreams: tuple[UpstreamSettings, ...] = ()
    selection: SelectionSettings = field(default_factory=SelectionSettings)
    routing: RoutingSettings = field(default_factory=RoutingSettings)
    cluster: ClusterSettings = field(default_factory=ClusterSettings)
    shared: SharedSettings = field(default_factory=SharedSettings)
    geoip: GeoipSettings = field(default_factory=GeoipSettings)
    limits: LimitsSettings = field(default_factory=LimitsSettings)
    denylist: DenylistSettings = field(default_factory=DenylistSettings)
    log: LogSettings = field(default_factory=LogSettings)


PUBLIC_UPSTREAMS = (
    UpstreamSettings(
        name="trustless-gateway.link",
        url="https://trustless-gateway.link",
        requests="200/minute",
        daily_requests=50_000,
    ),
    UpstreamSettings(
        name="4everland.io",
        url="https://4everland.io",
        requests="200/minute",
        daily_requests=50_000,
    ),
)
"""Asked when no upstream is configured: public, metered, and trusted no more than any other.

4everland allows 300 requests a minute, Filebase and nftstorage.link 200: the lowest for all."""
