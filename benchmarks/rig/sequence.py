"""Load on many addresses in a set order: `wrk` with a Lua script.

A run that checks has wrk hand every answer to the script, which compares its status and length; it
costs the load several microseconds an answer. A run that measures only has wrk count what is not
a success, and tells how many bytes came.
"""

import http.client
import json
import random
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from benchmarks.rig.generator import Load, LoadFailed
from benchmarks.rig.harness import pinned, program

TIMEOUT_S: Final = 30
LONGEST_S: Final = 900
"""A run with a number of requests that takes longer has failed."""
_FIGURES: Final = "figures: "

_SCRIPT: Final = """
local heads, order, threads = {{}}, {{}}, {{}}
local at, seen, count = {start}, 0, {count}
local ffi = require("ffi")
ffi.cdef[[ int getpid(void); int kill(int, int); ]]
wrong = 0

function setup(thread) table.insert(threads, thread) end

function init(args)
  for line in io.lines("{folder}/heads") do
    heads[#heads + 1] = line:gsub("\\t", "\\r\\n")
  end
  for line in io.lines("{folder}/order") do order[#order + 1] = tonumber(line) end
end

function request()
  at = at % #order + 1
  return heads[order[at]]
end

function done(summary, latency, requests)
  local all = 0
  for _, thread in ipairs(threads) do all = all + thread:get("wrong") end
  local errors = summary.errors
  io.write(string.format(
    '\\n{figures}{{"requests": %d, "us": %d, "bytes": %d, "p50": %d, "p99": %d, "wrong": %d, '
    .. '"statuses": %d, "sockets": %d, "timeouts": %d}}\\n',
    summary.requests, summary.duration, summary.bytes, latency:percentile(50),
    latency:percentile(99), all, errors.status, errors.connect + errors.read + errors.write,
    errors.timeout))
end
"""
# wrk sleeps until the end of its time even when all its threads have stopped; SIGINT wakes it.
_CHECK: Final = """
function response(status, headers, body)
  if status ~= {status} or ({size} >= 0 and #body ~= {size}) then wrong = wrong + 1 end
  seen = seen + 1
  if seen == count then
    wrk.thread:stop()
    ffi.C.kill(ffi.C.getpid(), 2)
  end
end
"""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, and what its answer has to be."""

    path: str
    size: int
    """Of the body that has to come."""
    make_body: Callable[[], bytes] = field(repr=False)
    """Makes that body: all of them at once would be too many."""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()

    def head(self, netloc: str) -> str:
        """Return the request with a tab for each end of a line."""
        fields = dict((("Host", netloc), *self.headers))
        lines = (f"GET {self.path} HTTP/1.1", *(f"{name}: {fields[name]}" for name in fields))
        return "\t".join((*lines, "", ""))


@dataclass(frozen=True, slots=True)
class Asks:
    """What is asked for in which order, again and again."""

    asks: Sequence[Ask]
    order: Sequence[int]
    """Places in `asks`."""

    @property
    def body_bytes(self) -> int:
        """The size of a body if all have the same, else -1."""
        sizes = {ask.size for ask in self.asks}
        return sizes.pop() if len(sizes) == 1 else -1

    @property
    def status(self) -> int:
        """The status of every answer."""
        (status,) = {ask.status for ask in self.asks}
        return status


def in_turn(asks: Sequence[Ask]) -> Asks:
    """Ask for each, and from the first one again."""
    return Asks(asks, range(len(asks)))


@dataclass(frozen=True, slots=True)
class Run:
    """How long and by how many."""

    connections: int
    seconds: float = LONGEST_S
    count: int = 0
    """Answers after which a run that checks ends; 0 for the whole time."""
    start: int = 0
    """The place in the order to begin at."""
    is_checked: bool = False


def ask_all(url: str, asks: Asks, run: Run, *, core: int | None = None) -> Load:
    """Ask a server in an order, over keep-alive connections, as fast as answers come.

    Raises:
        LoadFailed: not every answer was as it should be.
        Missing: wrk is not here.
    """
    wrk = program("wrk", "apt-get install wrk")
    with tempfile.TemporaryDirectory() as name:
        script = write_script(Path(name), url, asks, run)
        duration, patience = f"-d{max(1, round(run.seconds))}s", f"--timeout={TIMEOUT_S}s"
        command = (wrk, "-t1", f"-c{run.connections}", duration, patience, "-s", script, url)
        with pinned(core):
            process = subprocess.Popen(  # noqa: S603 (a program of ours, no shell)
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
        try:
            return read_figures(process.communicate()[0], asks, run)
        finally:
            process.kill()


def write_script(folder: Path, url: str, asks: Asks, run: Run) -> Path:
    """Write the script for wrk, with its requests beside it."""
    netloc = urlsplit(url).netloc
    (folder / "heads").write_text("".join(f"{ask.head(netloc)}\n" for ask in asks.asks))
    (folder / "order").write_text("".join(f"{place + 1}\n" for place in asks.order))
    script = _SCRIPT.format(
        folder=folder, start=run.start % len(asks.order), count=run.count, figures=_FIGURES
    )
    if run.is_checked:
        script += _CHECK.format(status=asks.status, size=asks.body_bytes)
    (folder / "load.lua").write_text(script)
    return folder / "load.lua"


def read_figures(output: str, asks: Asks, run: Run) -> Load:
    """Read what the script printed.

    Raises:
        LoadFailed: answers were wrong or too small, or none came.
    """
    _, found, text = output.rpartition(_FIGURES)
    if not found:
        raise LoadFailed(output[-500:])
    figures = json.loads(text.splitlines()[0])
    wrong = {name: figures[name] for name in ("wrong", "statuses", "sockets", "timeouts")}
    requests = figures["requests"]
    if any(wrong.values()) or requests < max(1, run.count):
        raise LoadFailed(f"of {requests} answers {wrong}")
    if figures["bytes"] < requests * asks.body_bytes:
        raise LoadFailed(f"{figures['bytes']} bytes in {requests} bodies of {asks.body_bytes}")
    return Load(
        requests=requests,
        seconds=figures["us"] / 1e6,
        size_bytes=figures["bytes"],
        p50_ms=figures["p50"] / 1000,
        p99_ms=figures["p99"] / 1000,
    )


def compare(url: str, asks: Asks, count: int) -> Counter[str]:
    """Ask for some, wherever they stand in the order, and compare them to the byte.

    Returns:
        How many of the answers came from which tier of our cache; `-` of another server.

    Raises:
        AssertionError: an answer is not what it should be.
    """
    address = urlsplit(url)
    found: Counter[str] = Counter()
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    try:
        for place in random.choices(asks.order, k=count):  # not the same each time
            found[_compare_one(connection, asks.asks[place])] += 1
    finally:
        connection.close()
    return found


def _compare_one(connection: http.client.HTTPConnection, ask: Ask) -> str:
    connection.request("GET", ask.path, headers=dict(ask.headers))
    response = connection.getresponse()
    body = response.read()
    if (response.status, body) != (ask.status, ask.make_body()):
        raise AssertionError(f"{ask} has {response.status}, {len(body)} bytes: {body[:200]!r}")
    status = response.headers.get("Cache-Status", "")
    return status.rpartition("detail=")[2] if "detail=" in status else "-"
