"""Runs the demo: packs it, serves it as an upstream, puts a gateway in front, prints the addresses.

The caller provides the gateway, as a function.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.progress import Progress

from gateway.demo.pack import DEMO_ROOT, PACKED_BYTES, pack_demo
from gateway.demo.site import MANY_NAME, VIDEO_PATH
from gateway.errors import CannotStart
from gateway.settings import Settings, TcpAddress, UpstreamSettings, parse_listen

_ORIGIN_STOP_S = 5.0
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (shown as loopback)


def run_demo(settings: Settings, serve: Callable[[Settings], None], out: TextIO) -> None:
    """Run the demo in the foreground.

    Args:
        settings: as for `serve`; its upstreams and its cache folder are replaced.
        serve: runs a gateway until a signal ends it.
        out: gets the greeting.

    Raises:
        CannotStart: the demo cannot be packed, or its upstream does not start.
    """
    home = Path(f"{settings.cache.directory}-demo")
    car = _pack(home, out)
    with running_origin(car) as url:
        demo = replace(
            settings,
            upstreams=(UpstreamSettings(name="demo-origin", url=url, tier="cluster"),),
            cache=replace(settings.cache, directory=str(home / "cache")),
        )
        out.write(greeting(demo))
        out.flush()
        serve(demo)


@contextmanager
def running_origin(car: Path) -> Iterator[str]:
    """Serve a CAR file as a trustless gateway in a process of its own; yields its URL.

    The process ends with the `with` block, or when this process dies.

    Raises:
        CannotStart: the process ended at once.
    """
    with subprocess.Popen(  # noqa: S603 (ourselves, no shell)
        [sys.executable, "-m", "gateway.demo.origin", str(car)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for the gateway, which still finishes responses
    ) as process:
        assert process.stdin is not None  # noqa: S101 (for the type checker)
        assert process.stdout is not None  # noqa: S101 (for the type checker)
        url = process.stdout.readline().strip()
        if not url:
            raise CannotStart(f"the upstream of the demo does not start with {car}")
        try:
            yield url
        finally:
            process.stdin.close()
            try:
                process.wait(_ORIGIN_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()


def greeting(settings: Settings) -> str:
    """Return the text with the addresses to open, and how to continue with real upstreams."""
    base, admin = _url(settings.server.listen), _url(settings.admin.listen)
    site = f"{base}/ipfs/{DEMO_ROOT}"
    video = f"{site}/{'/'.join(VIDEO_PATH)}"
    return f"""
The demo: a site, a 64 MiB video and a directory of 2,000 files, from an upstream on this machine.

  Open           {site}/
  Jump about in  {video}
  A byte range   curl -s -r 50000000-50000099 {video} | sha256sum
  2,000 files    {site}/{MANY_NAME}/
  The cache      {admin}/api/v1/cache
  The upstreams  {admin}/api/v1/upstreams
  Kept in        {Path(settings.cache.directory).parent}

With upstreams of your own, in gateway.toml:

  [[upstreams]]
  name = "kubo-1"
  url = "http://10.0.0.1:8080"      # the gateway of a Kubo or Rainbow node
  tier = "cluster"

  ipfs-gateway serve --config gateway.toml

"""


def _url(listen: str) -> str:
    address = parse_listen(listen)
    if not isinstance(address, TcpAddress):
        return str(address)
    return f"http://{replace(address, host=_WILDCARDS.get(address.host, address.host))}"


def _pack(home: Path, out: TextIO) -> Path:
    """Pack the demo unless it is packed; shows a progress bar on a terminal."""
    console = Console(file=out)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("packing the demo", total=PACKED_BYTES, visible=False)
        try:
            return pack_demo(home, lambda size: bar.update(task, completed=size, visible=True))
        except OSError as exc:
            raise CannotStart(f"cannot pack the demo into {home}: {exc.strerror}") from exc
