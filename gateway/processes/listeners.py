"""Listening sockets, opened before anything else so that a taken address is reported at once."""

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import CannotStart
from gateway.settings import TcpAddress, UnixAddress, parse_listen

BACKLOG = 2048  # connections the kernel holds while the loop is busy; uvicorn's default
UNIX_MODE = 0o660  # owner and group: put nginx into the gateway's group
_UNIX_UMASK = 0o777 & ~UNIX_MODE
_PROBE_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that listens."""

    socket: socket.socket
    path: str = ""
    """The file of a Unix socket; empty for TCP."""
    inode: int = 0
    """Of that file; another inode at `path` is another process's socket."""

    def __str__(self) -> str:
        """Return the address to connect to: a URL, or `unix:/path`."""
        if self.path:
            return f"unix:{self.path}"
        host, port = self.socket.getsockname()[:2]
        return f"http://{TcpAddress(host, port)}"

    def close(self) -> None:
        """Close the socket, and remove its file if it is still ours."""
        self.socket.close()
        if self.path:
            with suppress(FileNotFoundError):
                if Path(self.path).stat().st_ino == self.inode:
                    Path(self.path).unlink()


def open_listener(listen: str) -> Listener:
    """Listen on `host:port`, `[IPv6]:port` or `unix:/path`.

    `[::]` accepts IPv4, too. A Unix socket on which no process listens is replaced.

    Raises:
        CannotStart: the address is taken, not this machine's or not permitted.
    """
    address = parse_listen(listen)
    try:
        if isinstance(address, UnixAddress):
            return _open_unix(address)
        return _open_tcp(address)
    except OSError as exc:
        reason = str(exc.strerror).lower()
        raise CannotStart(f"cannot listen on {address}: {reason}") from exc


def _open_tcp(address: TcpAddress) -> Listener:
    found = socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    family, kind, protocol, _, target = found[0]
    with _closing_on_error(socket.socket(family, kind, protocol)) as opened:
        # Allows the address while old connections are in TIME_WAIT.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        opened.bind(target)
        opened.listen(BACKLOG)
        opened.setblocking(False)
        return Listener(opened)


def _open_unix(address: UnixAddress) -> Listener:
    path = Path(address.path)
    _remove_stale(path)
    with _closing_on_error(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as opened:
        before = os.umask(_UNIX_UMASK)  # so that there is no moment with wider permissions
        try:
            opened.bind(address.path)
        finally:
            os.umask(before)
        opened.listen(BACKLOG)
        opened.setblocking(False)
        return Listener(opened, address.path, path.stat().st_ino)


def _remove_stale(path: Path) -> None:
    """Remove a socket file on which no process listens.

    Raises:
        CannotStart: the file is not a socket, or a process listens on it.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise CannotStart(f"cannot listen on unix:{path}: the file exists and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_TIMEOUT_S)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise CannotStart(f"cannot listen on unix:{path}: address already in use")


@contextmanager
def _closing_on_error(opened: socket.socket) -> Iterator[socket.socket]:
    try:
        yield opened
    except BaseException:
        opened.close()
        raise
