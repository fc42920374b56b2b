"""Real processes on loopback: started, waited for, measured and stopped; also for tests."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

START_S = 60.0
STOP_S = 15.0
NGINX_FOLDER = Path(__file__).parents[2] / "nginx"

PEERS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "ipfs-gateway-ci/peers")
"""Where `.ci/run` keeps the programs of peers."""

_PORTS = range(20_000, 32_768)
"""Below the range that Linux and most others take ports of clients from."""

_TICKS = os.sysconf("SC_CLK_TCK")


class NotStarted(Exception):
    """A process ended, or did not answer in time; the text holds the end of its log."""


class Missing(Exception):
    """A program that is not part of Python is not on this machine; the text says how to get it."""


class MissingUnpackaged(Missing):
    """The missing program is in no package registry, so no machine can be required to have it."""


@dataclass(frozen=True, slots=True)
class Server:
    """One running server."""

    url: str
    """Scheme, host and port."""
    pid: int
    log: Path

    def cpu_s(self) -> float:
        """Return the CPU seconds that it and its children have used, system time included."""
        return sum(_cpu_ticks(pid) for pid in _family(self.pid)) / _TICKS

    def pids(self) -> list[int]:
        """Return it and its children."""
        return _family(self.pid)

    def kill(self) -> None:
        """End it and its children with SIGKILL, parents first, so that nobody is replaced."""
        self._signal(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop it and its children, parents first, until `thaw`."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let all of them go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for pid in _family(self.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def rss_bytes(self) -> int:
        """Return the memory that it and its children hold."""
        page = os.sysconf("SC_PAGE_SIZE")
        return page * sum(
            int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in _family(self.pid)
        )


def cores() -> list[int]:
    """Return the CPUs that we may use: servers are put on the first, the load on the last."""
    return sorted(os.sched_getaffinity(0))


def free_port() -> int:
    """Return a port of loopback that nobody listened on a moment ago.

    Not one that the system may give to a client's end of a connection in the next moment.
    """
    while True:
        port = random.choice(_PORTS)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@contextmanager
def running(
    command: Sequence[object],
    url: str,
    log: Path,
    *,
    probe: str = "/",
    environment: Mapping[str, str] | None = None,
    core: int | None = None,
) -> Iterator[Server]:
    """Run a server in the foreground until the block ends.

    Args:
        command: program and arguments.
        url: where it will listen.
        log: a file for its output.
        probe: the path that answers, with any status, when it is ready.
        environment: variables on top of ours.
        core: the CPU that it may use; None for all.

    Raises:
        NotStarted: it ended or did not answer in time.
    """
    with log.open("wb") as output, pinned(core):
        process = subprocess.Popen(  # noqa: S603 (programs of the benchmark, no shell)
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    try:
        _wait_until_answers(process, url + probe, log)
        yield Server(url, process.pid, log)
    finally:
        stop(process)


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Give the processes that are started in the block one CPU; None for all that we have."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, before if core is None else {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def stop(process: subprocess.Popen[bytes]) -> int:
    """Ask a process to end, and insist after `STOP_S`; return its exit code."""
    process.terminate()
    try:
        return process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def program(name: str, hint: str, *, is_packaged: bool = True) -> Path:
    """Find a program in the folder `GATEWAY_PEERS`, on the PATH or in `PEERS`.

    Args:
        name: of its file.
        hint: how to get it.
        is_packaged: whether a package registry has it, so that CI installs it.

    Raises:
        Missing: it is in none of them.
        MissingUnpackaged: so it is, and it is in no registry.
    """
    folders = (os.environ.get("GATEWAY_PEERS"), os.environ.get("PATH"), "/usr/sbin", str(PEERS))
    found = shutil.which(name, path=os.pathsep.join(folder for folder in folders if folder))
    if found is None:
        kind = Missing if is_packaged else MissingUnpackaged
        raise kind(f"{name} is neither in GATEWAY_PEERS, nor on the PATH, nor in {PEERS}: {hint}")
    return Path(found)


@contextmanager
def running_gateway(
    folder: Path, config: str, *, core: int | None = None, listen: str = ""
) -> Iterator[Server]:
    """Run our gateway with a TOML configuration; `[server]` and `[admin]` are added to it.

    Args:
        folder: for the configuration and the log.
        config: without addresses.
        core: the CPU that it may use; None for all.
        listen: `unix:/path`; a port of loopback if empty. The URL is then that of the admin
            listener.
    """
    folder.mkdir(parents=True, exist_ok=True)
    admin = f"127.0.0.1:{free_port()}"
    url = admin if listen else f"127.0.0.1:{free_port()}"
    file = folder / "gateway.toml"
    file.write_text(
        config.replace("[server]", f'[server]\nlisten = "{listen or url}"')
        + f'\n[admin]\nlisten = "{admin}"\n'
    )
    command = [sys.executable, "-m", "gateway", "serve", "--config", file]
    log = folder / "gateway.log"
    probe = "/healthz" if listen else "/ipfs/bafkqaaa"
    # Installed, it has its bytecode; from a checkout the first start writes it.
    environment = {"PYTHONDONTWRITEBYTECODE": ""}
    with running(
        command, f"http://{url}", log, probe=probe, environment=environment, core=core
    ) as server:
        yield server


def admin_url(file: Path) -> str:
    """Return the URL of the admin listener of a configuration that `running_gateway` wrote."""
    listens = [line.split('"')[1] for line in file.read_text().splitlines() if "listen =" in line]
    return f"http://{listens[-1]}"


class LinkControl:
    """A `benchmarks.rig.link` in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.url = f"http://127.0.0.1:{int(self._read())}"

    def change(self, **shape: float | str) -> None:
        """Be another link from now on; see `link.Shape`."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(shape) + "\n")
        self._process.stdin.flush()
        self._read()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def running_link(target_port: int, **shape: float | str) -> Iterator[LinkControl]:
    """Run a link to a port of loopback."""
    with subprocess.Popen(  # noqa: S603 (ourselves, no shell)
        [sys.executable, "-m", "benchmarks.rig.link", str(target_port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            control = LinkControl(process)
            control.change(**shape)
            yield control
        finally:
            process.terminate()


@contextmanager
def running_delay(target_port: int, round_trip_ms: float) -> Iterator[str]:
    """Run a link that is only longer; gives its URL."""
    with running_link(target_port, round_trip_ms=round_trip_ms) as link:
        yield link.url


@contextmanager
def running_nginx(folder: Path, url: str, *, core: int | None = None) -> Iterator[Server]:
    """Run nginx with `nginx.conf` in `folder`.

    Raises:
        Missing: nginx is not here.
    """
    nginx = program("nginx", "apt-get install nginx-light")
    for name in ("logs", "tmp"):
        (folder / name).mkdir(exist_ok=True)
    # Of root's nginx the workers would be nobody, who may not enter root's temporary folders.
    user = ("-g", "user root;") if os.geteuid() == 0 else ()
    command = [nginx, "-p", folder, "-c", folder / "nginx.conf", *user]
    with running(command, url, folder / "nginx.log", core=core) as server:
        yield server


@contextmanager
def running_kubo(
    folder: Path,
    *,
    environment: Mapping[str, str] | None = None,
    core: int | None = None,
    is_online: bool = False,
) -> Iterator[Server]:
    """Run a Kubo node with the repository `folder/kubo`, made by `make_kubo_repository`.

    Args:
        folder: holds the repository, and gets the log.
        environment: variables on top of ours.
        core: the CPU that it may use; None for all.
        is_online: whether it speaks to peers; its repository is then one of
            `swarm.make_swarm_repository`.

    Raises:
        Missing: Kubo is not here.
    """
    port = free_port()
    variables = {"IPFS_PATH": str(folder / "kubo"), "IPFS_TELEMETRY": "off", **(environment or {})}
    ipfs("config", "Addresses.Gateway", f"/ip4/127.0.0.1/tcp/{port}", folder=folder)
    ipfs("config", "Addresses.API", f"/ip4/127.0.0.1/tcp/{free_port()}", folder=folder)
    command = [program("ipfs", _KUBO_HINT), "daemon", *(() if is_online else ("--offline",))]
    url, log = f"http://127.0.0.1:{port}", folder / "kubo.log"
    with running(
        command, url, log, probe="/ipfs/bafkqaaa", environment=variables, core=core
    ) as server:
        yield server


_KUBO_HINT = "https://docs.ipfs.tech/install/command-line/"


def make_kubo_repository(folder: Path) -> None:
    """Make the repository `folder/kubo` of a node that speaks to nobody.

    Raises:
        Missing: Kubo is not here.
    """
    ipfs("init", "-e", "--profile=test", folder=folder)
    for key, value in (
        ("Addresses.Swarm", "[]"),
        ("AutoConf.Enabled", "false"),
        ("Bootstrap", "[]"),
        ("DNS.Resolvers", "{}"),
        ("Routing.Type", '"none"'),
        ("Routing.DelegatedRouters", "[]"),
        ("Ipns.DelegatedPublishers", "[]"),
        ("Discovery.MDNS.Enabled", "false"),
        ("Provide.Enabled", "false"),
    ):
        ipfs("config", "--json", key, value, folder=folder)


def ipfs(*arguments: str | Path, folder: Path) -> str:
    """Run the `ipfs` command on the repository `folder/kubo` and return what it prints.

    Raises:
        Missing: Kubo is not here.
        NotStarted: the command failed.
    """
    done = subprocess.run(  # noqa: S603 (a peer that we were told to use, no shell)
        [program("ipfs", _KUBO_HINT), *arguments],
        env={**os.environ, "IPFS_PATH": str(folder / "kubo"), "IPFS_TELEMETRY": "off"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotStarted(f"ipfs {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


def _wait_until_answers(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while not _answers(url):
        if process.poll() is not None or time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-2000:]
            raise NotStarted(f"{url} does not answer: {process.args!r}\n{tail}")
        time.sleep(0.02)


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 (http:// of ours)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def _family(pid: int) -> list[int]:
    """Return a process and all below it that are alive."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (fields := _stat(int(folder.name))):
            children.setdefault(int(fields[1]), []).append(int(folder.name))
    family = [pid]
    for member in family:
        family.extend(children.get(member, []))
    return family


def _cpu_ticks(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[11]) + int(fields[12]) if fields else 0


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on; none when the process has gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
