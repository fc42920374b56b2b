"""The servers that hits are compared on: ours in several set-ups, and what others would run.

Every one serves the same paths with the same bytes: `/ipfs/{root}/{name}`. None writes an access
log; ours counts its metrics and holds every client to a limit, which is only too high to be met.
Each has the first core alone, but for two workers, which need two.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from benchmarks.data.content import Packed
from benchmarks.rig.harness import (
    NGINX_FOLDER,
    Missing,
    Server,
    cores,
    free_port,
    ipfs,
    make_kubo_repository,
    program,
    running,
    running_gateway,
    running_kubo,
    running_nginx,
)
from benchmarks.rig.rainbow import running_rainbow
from gateway.demo.runner import running_origin

GATEWAY = """
[server]
max_concurrent_requests = 4096
[cache]
directory = "{folder}/cache"
memory_size = "{memory}"
[limits]
requests = "1000000/second"
burst = 1000000
[log]
access = "off"
[[upstreams]]
name = "origin"
url = "{origin}"
tier = "cluster"
"""
# tcp_nopush is off: on loopback a segment has 64 KiB, and what is left of 100 KiB waited 40 ms.
_NGINX = """
daemon off;
worker_processes {workers};
pid nginx.pid;
error_log logs/error.log warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush off;
    open_file_cache {open_files};
    keepalive_requests 100000000;
    default_type application/octet-stream;
    client_body_temp_path tmp/body;
    proxy_temp_path tmp/proxy;
    fastcgi_temp_path tmp/fastcgi;
    uwsgi_temp_path tmp/uwsgi;
    scgi_temp_path tmp/scgi;
    proxy_cache_path cache levels=1:2 keys_zone=answers:{keys} max_size={disk} use_temp_path=off;
    {more}
    server {{
        listen 127.0.0.1:{port} default_server;
        {location}
    }}
}}
"""
# Kubo looks up names of hosts in DNS, which costs seconds where there is none; but not addresses.
_PROXY_CACHE = """
location / {{
    proxy_pass {origin};
    proxy_cache answers;
    proxy_cache_valid 1h;
    proxy_set_header Host 127.0.0.1;
    {inside}
}}
"""
_VCL = """
vcl 4.1;
backend default {{ .host = "127.0.0.1"; .port = "{port}"; }}
"""
_BESIDE = 2
"""Gateways behind our nginx, each with a Unix socket."""

NGINX_STATIC = "nginx static"
NGINX_TWO = "nginx static, 2 workers"
NGINX_CACHE = "nginx proxy_cache"
NGINX_CACHE_TWO = "nginx proxy_cache, 2 workers"
VARNISH = "Varnish"
KUBO = "Kubo"
RAINBOW = "Rainbow"
GATEWAY_ALONE = "gateway"
GATEWAY_DISK = "gateway, from disk"
GATEWAY_TAG = "gateway, disk by tag"
GATEWAY_LOG = "gateway, logging"
GATEWAY_TWO = "gateway, 2 workers"
GATEWAY_FRONT = "our nginx + gateway"
_BEFORE_KUBO = frozenset((NGINX_CACHE, VARNISH, RAINBOW))


@dataclass(frozen=True, slots=True)
class Contender:
    """One set-up that answers at an address."""

    name: str
    servers: tuple[Server, ...]
    """The one that is asked first."""

    @property
    def url(self) -> str:
        """Where it is asked."""
        return self.servers[0].url

    def cpu_s(self) -> float:
        """CPU seconds of all its processes."""
        return sum(server.cpu_s() for server in self.servers)

    def rss_bytes(self) -> int:
        """Memory of all its processes."""
        return sum(server.rss_bytes() for server in self.servers)


@dataclass(frozen=True, slots=True)
class NginxOptions:
    """What can be different about nginx with a cache."""

    disk: str = "4g"
    """What its manager brings the cache down to, every ten seconds."""
    keys: str = "16m"
    """Memory for the keys: when it is full, the longest unused answer goes at once."""
    open_files: str = "max=1000"
    """Files that are kept open: what is served of them goes on when the cache has removed them."""
    more: str = ""
    """For the level `http`; `{port}` and `{origin}` are filled in."""
    inside: str = ""
    """For the location."""


DEFAULT: Final = NginxOptions()


@contextmanager
def alone(one: Contender, contenders: Sequence[Contender]) -> Iterator[None]:
    """Stop the others while one is measured: idle ones look at their clocks and upstreams, too.

    Kubo goes on: others stand before it.
    """
    stopped = [
        server
        for other in contenders
        if other is not one and other.name != KUBO
        for server in other.servers
    ]
    for server in stopped:
        server.freeze()
    try:
        yield
    finally:
        for server in stopped:
            server.thaw()


def start_all(starts: Sequence[tuple[str, Callable[[], tuple[Server, ...]]]]) -> list[Contender]:
    """Start whatever is on this machine, by name; say what is missing."""
    found: list[Contender] = []
    for name, start in starts:
        try:
            found.append(Contender(name, start()))
        except Missing as exc:
            print(f"without {name}: {exc}")
    return found


class Stage:
    """Starts contenders over one site; the stack ends them."""

    def __init__(self, stack: ExitStack, folder: Path, origin: str) -> None:
        self._stack = stack
        self._folder = folder
        self._origin = origin
        self._core = cores()[0]

    def start(
        self, packed: Packed, files: Mapping[str, bytes], without: frozenset[str] = frozenset()
    ) -> list[Contender]:
        """Start whatever is on this machine; say what is missing."""
        starts: list[tuple[str, Callable[[], tuple[Server, ...]]]] = [
            (NGINX_STATIC, lambda: self._static(packed, files)),
            (NGINX_TWO, lambda: self._static(packed, files, workers=2)),
            (NGINX_CACHE, self.proxy_cache),
            (VARNISH, self._varnish),
            (RAINBOW, self.rainbow),
            (GATEWAY_ALONE, lambda: self.gateway("alone", "512MiB")),
            (GATEWAY_DISK, lambda: self.gateway("disk", "0")),
            (GATEWAY_TAG, lambda: self.gateway("tag", "0", verification="tag")),
            (GATEWAY_LOG, lambda: self.gateway("logging", "512MiB", access="json")),
            (GATEWAY_TWO, lambda: self.gateway("two", "512MiB", workers=2)),
            (GATEWAY_FRONT, self._front),
        ]
        return start_all([(name, start) for name, start in starts if name not in without])

    def _make(self, name: str) -> Path:
        folder = self._folder / name
        folder.mkdir()
        return folder

    def _static(
        self, packed: Packed, files: Mapping[str, bytes], workers: int = 1
    ) -> tuple[Server, ...]:
        folder = self._make(f"static-{workers}")
        root = folder / "files" / "ipfs" / packed.root
        root.mkdir(parents=True)
        for name, data in files.items():
            (root / name).write_bytes(data)
        return self._nginx(folder, "root files;", workers)

    def proxy_cache(
        self, name: str = "proxy_cache", *, workers: int = 1, options: NginxOptions = DEFAULT
    ) -> tuple[Server, ...]:
        """Start nginx with a cache of answers in a folder."""
        location = _PROXY_CACHE.format(origin=self._origin, inside=options.inside)
        return self._nginx(self._make(name), location, workers, options)

    def _nginx(
        self, folder: Path, location: str, workers: int = 1, options: NginxOptions = DEFAULT
    ) -> tuple[Server, ...]:
        port = free_port()
        config = _NGINX.format(
            port=port,
            location=location,
            workers=workers,
            disk=options.disk,
            keys=options.keys,
            open_files=options.open_files,
            more=options.more.format(port=port, origin=self._origin),
        )
        (folder / "nginx.conf").write_text(config)
        url = f"http://127.0.0.1:{port}"
        server = running_nginx(folder, url, core=self._core_for(workers))
        return (self._stack.enter_context(server),)

    def _core_for(self, workers: int) -> int | None:
        return self._core if workers == 1 else None

    def _varnish(self) -> tuple[Server, ...]:
        varnishd = program("varnishd", "apt-get install varnish")
        folder, port = self._make("varnish"), free_port()
        (folder / "site.vcl").write_text(_VCL.format(port=urlsplit(self._origin).port))
        options = ("-F", "-j", "none", "-n", folder / "work", "-s", "default=malloc,1g")
        address = ("-f", folder / "site.vcl", "-a", f"127.0.0.1:{port}")
        return self._run("varnish", (varnishd, *options, *address), port)

    def rainbow(self, name: str = "rainbow") -> tuple[Server, ...]:
        """Start Rainbow, which keeps nothing of what it fetches so."""
        server = running_rainbow(self._folder / name, self._origin, "car", core=self._core)
        return (self._stack.enter_context(server),)

    def _run(self, name: str, command: Sequence[object], port: int) -> tuple[Server, ...]:
        url, log = f"http://127.0.0.1:{port}", self._folder / f"{name}.log"
        server = running(command, url, log, probe="/ipfs/bafkqaaa", core=self._core)
        return (self._stack.enter_context(server),)

    def gateway(
        self,
        name: str,
        memory: str,
        *,
        workers: int = 1,
        access: str = "off",
        verification: str = "cid",
        disk: str = "10GiB",
    ) -> tuple[Server, ...]:
        """Start ours with a cache of its own."""
        folder = self._folder / f"gateway-{name}"
        config = GATEWAY.format(folder=folder, memory=memory, origin=self._origin)
        config = config.replace("[server]", f"[server]\nworkers = {workers}")
        config = config.replace('access = "off"', f'access = "{access}"')
        tags = f'read_verification = "{verification}"\ntag_key = "{folder}/tag.key"'
        config = config.replace("[cache]", f'[cache]\n{tags}\ndisk_size = "{disk}"')
        server = running_gateway(folder, config, core=self._core_for(workers))
        return (self._stack.enter_context(server),)

    def _front(self) -> tuple[Server, ...]:
        program("nginx", "apt-get install nginx-light")
        sockets = [self._folder / f"{number}.sock" for number in range(_BESIDE)]
        gateways = [self._behind(socket) for socket in sockets]
        folder, port = self._folder / "front", free_port()
        configure_front(folder, port, sockets)
        nginx = running_nginx(folder, f"http://127.0.0.1:{port}", core=self._core)
        return (self._stack.enter_context(nginx), *gateways)

    def _behind(self, socket: Path) -> Server:
        folder = self._folder / f"gateway-{socket.stem}"
        config = GATEWAY.format(folder=folder, memory="256MiB", origin=self._origin)
        config = config.replace("[server]", '[server]\ntrusted_proxies = ["unix"]')
        server = running_gateway(folder, config, core=self._core, listen=f"unix:{socket}")
        return self._stack.enter_context(server)


def configure_front(folder: Path, port: int, sockets: Sequence[Path]) -> None:
    """Copy our nginx configuration for gateways on Unix sockets, with its cache of answers."""
    shutil.copytree(NGINX_FOLDER, folder)
    site = folder / "site"
    (site / "listen.conf").write_text(f"listen 127.0.0.1:{port};\n")
    (site / "port.conf").write_text(f'set $ipfs_port ":{port}";\n')
    (site / "log.conf").write_text("access_log off;\n")
    servers = "\n".join(
        f"    server unix:{socket} max_fails=3 fail_timeout=5s;" for socket in sockets
    )
    zone = "proxy_cache_path cache levels=1:2 keys_zone=ipfs_answers:64m use_temp_path=off;\n"
    upstream = (site / "upstream.conf").read_text()
    first = "    server 127.0.0.1:8080 max_fails=3 fail_timeout=5s;"
    (site / "upstream.conf").write_text(zone + _replaced(upstream, first, servers))
    main = (folder / "nginx.conf").read_text()
    (folder / "nginx.conf").write_text(_replaced(main, "processes auto;", "processes 1;"))
    config = _replaced((folder / "gateway.conf").read_text(), "rate=100r/s", "rate=1000000r/s")
    config = _replaced(config, "keepalive_requests 1000;", "keepalive_requests 100000000;")
    config = _replaced(config, "# include response-cache.conf;", "include response-cache.conf;")
    (folder / "gateway.conf").write_text(config)


def _replaced(text: str, old: str, new: str) -> str:
    assert old in text, f"our nginx configuration has no {old!r} any more"
    return text.replace(old, new)


@contextmanager
def running_contenders(
    folder: Path, packed: Packed, files: Mapping[str, bytes]
) -> Iterator[list[Contender]]:
    """Run everything that is on this machine over one Kubo node with the site."""
    with ExitStack() as stack:
        try:
            make_kubo_repository(folder)
            ipfs("dag", "import", "--pin-roots=false", packed.car, folder=folder)
            kubo = stack.enter_context(running_kubo(folder, core=cores()[0]))
        except Missing as exc:
            print(f"without Kubo and what stands before it: {exc}")
            origin = stack.enter_context(running_origin(packed.car))
            yield Stage(stack, folder, origin).start(packed, files, without=_BEFORE_KUBO)
        else:
            others = Stage(stack, folder, kubo.url).start(packed, files)
            yield [Contender(KUBO, (kubo,)), *others]
