"""Where the CPU of a gateway goes: by layer of the house (py-spy), and by library (perf).

py-spy looks two hundred times a second which Python functions run. A look counts for the first
layer that is met on the way from what runs up to what called it: what a library does for one of
our modules counts for that module. perf tells what is below Python: the kernel, SQLite, hashing,
the garbage collector.
"""

import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.report.tables import Table
from benchmarks.rig.harness import Missing, Server, program

FOLDER: Final = Path(__file__).parents[2] / "build" / "profiles"
LOOKS_S: Final = 200
PERF_LOOKS_S: Final = 997
WAITS: Final = (
    r"(Condition|Barrier)\.wait |Queue\.get |^_worker \(concurrent|^wait \(threading"
    r"|ReaderPool\._run |Writer\._gather |\.select \(selectors"
)
"""Innermost functions in which threads only wait; py-spy cannot always tell."""
LAYERS: Final = (
    ("hash", r"gateway/content/(multihash|block)\.py"),
    (
        "index (SQLite)",
        r"cache/disk/(index|index_handle|schema|presence_filter|write_batch|midpoint)\.py|sqlite3/",
    ),
    (
        "read from disk",
        r"gateway/cache/disk/(inline_reader|reader|reader_pool|files|tier|tags)\.py",
    ),
    ("write to disk", r"gateway/cache/disk/"),
    ("memory tier", r"gateway/cache/"),
    ("aiohttp", r"aiohttp/|yarl/|multidict/"),
    ("upstream choice", r"gateway/upstream/balancing/|gateway/net/budget"),
    ("upstream", r"gateway/upstream/|gateway/(net|breaker)"),
    ("sniff", r"gateway/protocol/(media|media_types)\.py"),
    ("request parse", r"gateway/protocol/(request|host|sites|query|formats|ranges|labels)\.py"),
    ("paths and CIDs", r"gateway/content/(path|cid|multibase|varint|memo)\.py"),
    ("headers", r"gateway/protocol/|gateway/web/upstream_fields"),
    ("DAG walk", r"gateway/content/"),
    ("pipeline generators", r"gateway/pipeline/"),
    ("names", r"gateway/naming/"),
    ("limits, denylist", r"gateway/guard/"),
    ("counters, log", r"gateway/ops/"),
    ("routing", r"gateway/web/(routing|clients|exchange)\.py"),
    (
        "hot path",
        r"gateway/web/hot/(table|responder|hot_connection|known_heads|recorder|clock|accept|recent)\.py",
    ),
    ("send", r"gateway/web/(send\.py|hot/|connection/)"),
    ("app", r"gateway/web/"),
    ("Starlette", r"starlette/"),
    ("uvicorn", r"uvicorn/"),
    ("loop", r"asyncio/|uvloop/|selectors\.py|threading\.py|concurrent/"),
    ("other parts of ours", r"gateway/"),
)
LIBRARIES: Final = (
    ("garbage collector", r"gc_collect|visit_|traverse|subtract_refs|gc_list|update_refs|IS_GC"),
    ("kernel", r"^\[kernel|^\[vdso|^\[unknown|^\[[a-z_]+\]"),
    ("SQLite", r"sqlite"),
    ("hashing", r"^libcrypto|sha2|blake|^_hashlib"),
    ("aiohttp, yarl, multidict", r"aiohttp|_http_parser|_http_writer|yarl|multidict|_quoting"),
    ("httptools", r"^parser\.cpython|url_parser|httptools"),
    ("uvloop", r"^loop\.cpython|uvloop"),
    ("orjson", r"orjson"),
    ("malloc, memcpy", r"^libc\.|^libc-"),
    ("asyncio in C", r"^_asyncio"),
    ("Python", r"python"),
)
OTHER: Final = "other"
TOP: Final = 12
"""Functions that are named in the second table."""
_LINE: Final = re.compile(r":\d+\)$")


@contextmanager
def recording(server: Server, name: str) -> Iterator[None]:
    """Write a profile of a server and its children while the block runs.

    `build/profiles/{name}.txt` has stacks and how often each was seen, as flame graphs are drawn of
    them; `{name}.perf.txt` the libraries and the kernel. Says what is missing.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    recorders = [one for one in (_start_py_spy(server, name), _start_perf(server, name)) if one]
    try:
        yield
    finally:
        for recorder in recorders:
            recorder.send_signal(signal.SIGINT)
        for recorder in recorders:
            recorder.wait()
    _report_perf(name)


def _start_py_spy(server: Server, name: str) -> subprocess.Popen[bytes] | None:
    here = Path(sys.executable).parent / "py-spy"
    try:
        py_spy = here if here.exists() else program("py-spy", "pip install py-spy")
    except Missing as exc:
        print(f"without a profile by layer: {exc}")
        return None
    options = ("--format", "raw", "--rate", LOOKS_S, "--subprocesses", "--duration", "unlimited")
    return _start((py_spy, "record", *options, "-o", stacks_file(name), "--pid", server.pid))


def _start_perf(server: Server, name: str) -> subprocess.Popen[bytes] | None:
    try:
        perf = program("perf", "apt-get install linux-perf")
    except Missing as exc:
        print(f"without a profile by library: {exc}")
        return None
    pids = ",".join(str(pid) for pid in server.pids())
    # cpu-clock: virtual machines often have no counter of cycles.
    options = ("-e", "cpu-clock", "-F", PERF_LOOKS_S, "-o", _data_file(name))
    return _start((perf, "record", *options, "-p", pids))


def _start(command: Sequence[object]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 (a profiler, no shell)
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _report_perf(name: str) -> None:
    if not _data_file(name).exists():
        return
    perf = program("perf", "apt-get install linux-perf")
    shape = ("--stdio", "-t", ";", "-F", "overhead,dso,symbol")
    command = (perf, "report", "-i", _data_file(name), *shape)
    done = subprocess.run(  # noqa: S603 (a profiler, no shell)
        command, capture_output=True, text=True, check=False
    )
    lines = [line.strip() for line in done.stdout.splitlines() if line[:1] not in ("", "#")]
    perf_file(name).write_text("".join(f"{line}\n" for line in lines))
    _data_file(name).unlink()


def _data_file(name: str) -> Path:
    return FOLDER / f"{name}.perf.data"


def stacks_file(name: str) -> Path:
    """Return where the stacks of a profile are."""
    return FOLDER / f"{name}.txt"


def perf_file(name: str) -> Path:
    """Return where the functions of libraries and of the kernel are."""
    return FOLDER / f"{name}.perf.txt"


def read_stacks(text: str) -> Counter[tuple[str, ...]]:
    """Return how often each stack was seen; frames are `function (file)`, the innermost last.

    Threads that only wait are left out.
    """
    stacks: Counter[tuple[str, ...]] = Counter()
    for line in text.splitlines():
        frames, _, count = line.rpartition(" ")
        stack = tuple(_LINE.sub(")", frame) for frame in frames.split(";"))
        if not re.search(WAITS, stack[-1]):
            stacks[stack] += int(count)
    return stacks


def read_perf(text: str) -> dict[str, float]:
    """Return the percentage of each library in what `perf report` says, the largest first."""
    shares: dict[str, float] = {}
    for line in text.splitlines():
        percent, library, symbol = (field.strip() for field in line.split(";", 2))
        name = _library_of(library, symbol)
        shares[name] = shares.get(name, 0.0) + float(percent.rstrip("%"))
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def _library_of(library: str, symbol: str) -> str:
    if "python" in library and re.search(LIBRARIES[0][1], symbol):
        return LIBRARIES[0][0]
    return next((name for name, pattern in LIBRARIES[1:] if re.search(pattern, library)), library)


def layer_of(stack: Sequence[str]) -> str:
    """Return the innermost layer that a stack is in."""
    for frame in reversed(stack):
        for layer, pattern in LAYERS:
            if re.search(pattern, frame):
                return layer
    return OTHER


def profile_tables(title: str, name: str) -> list[Table]:
    """Return what `recording` has found: the share of each layer, function and library."""
    tables: list[Table] = []
    if stacks_file(name).exists():
        tables += stacks_tables(title, read_stacks(stacks_file(name).read_text()))
    if perf_file(name).exists():
        shares = read_perf(perf_file(name).read_text())
        rows = [(library, f"{share:.1f}%") for library, share in shares.items() if share >= 0.1]
        tables.append(Table(f"{title}: by library", ("library", "of the CPU"), rows))
    return tables


def stacks_tables(name: str, stacks: Counter[tuple[str, ...]]) -> list[Table]:
    """Return the share of each layer, and the functions in which most of the time is spent."""
    total = stacks.total()
    layers: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    for stack, count in stacks.items():
        layers[layer_of(stack)] += count
        functions[stack[-1]] += count
    note = f"{total:,} looks, {LOOKS_S} a second, while it worked; what waits is not counted."
    return [
        _shares(f"{name}: by layer", "layer", layers.most_common(), total, note),
        _shares(f"{name}: by function", "innermost", functions.most_common(TOP), total, note),
    ]


def _shares(
    title: str, column: str, counted: Sequence[tuple[str, int]], total: int, note: str
) -> Table:
    rows = [(key, f"{count / total:.1%}") for key, count in counted]
    return Table(title, (column, "of the CPU"), rows, (note,))
