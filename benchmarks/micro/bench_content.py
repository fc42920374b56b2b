"""What it costs to read CIDs, paths, dag-pb nodes and to verify a block.

`python -m benchmarks.micro.bench_content` prints the median of many batches, in CPU time, so that
waiting for other processes does not count; a busy neighbour on the same core still does.
"""

import base64
import hashlib
import statistics
import time
import timeit
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from gateway.content.block import verify
from gateway.content.cid import LIBP2P_KEY, RAW, Cid, _format, _parse, parse_cid, sha256_cid
from gateway.content.dag_pb import PBLink, PBNode, decode_node, encode_node
from gateway.content.multibase import encode_base58
from gateway.content.path import parse_path

CID_BAR_US = 15.0
NODE_BAR_US = 250.0
LINKS = 174  # of a full node in the layout of 2015, which most files on the network have
CHUNK_BYTES = 256 * 1024
BATCHES = 31
BATCH_S = 0.005


class Case(NamedTuple):
    """One function call to time."""

    name: str
    run: Callable[[], object]
    bar_us: float | None = None


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _node(prefix: bytes, name: str) -> bytes:
    """Encode a node of `LINKS` links; `name` may hold a `{}` for the number of the link."""
    links = tuple(
        PBLink(prefix + _digest(str(n)), name.format(n), CHUNK_BYTES + 14) for n in range(LINKS)
    )
    return encode_node(PBNode(links, b"\x08\x02" + b"\x20\x80\x80\x10" * LINKS))


def _cid_cases() -> Iterator[Case]:
    parse: Callable[[str], Cid] = _parse.__wrapped__  # without its cache
    v0 = sha256_cid(0x70, _digest("a"), version=0)
    v1 = v0.as_v1()
    usual = {
        "base58 v0": str(v0),
        "base32 v1": str(v1),
        "base36 v1": str(Cid(1, LIBP2P_KEY, v0.multihash)),
    }
    unusual = {
        "base58 v1": "z" + encode_base58(v1.encode()),
        "base16 v1": "f" + v1.encode().hex(),
        "base64url v1": "u" + base64.urlsafe_b64encode(v1.encode()).decode("ascii"),
    }
    for name, text in usual.items():
        yield Case(f"parse CID, {name}", partial(parse, text), CID_BAR_US)
    for name, text in unusual.items():
        yield Case(f"parse CID, {name}", partial(parse, text))
    yield Case("parse CID, seen before", lambda: parse_cid(str(v1)))
    yield Case("format CID, base58 v0", lambda: _format.__wrapped__(v0))
    yield Case("format CID, base32 v1", lambda: _format.__wrapped__(v1))
    raw = f"/ipfs/{v1}/docs/en/index.html".encode()
    yield Case("parse path, 3 names", lambda: parse_path(raw))


def _node_cases() -> Iterator[Case]:
    nodes = {
        "file, v0": (_node(b"\x12\x20", ""), NODE_BAR_US),
        "file, v1 raw": (_node(b"\x01\x55\x12\x20", ""), NODE_BAR_US),
        "directory": (_node(b"\x01\x55\x12\x20", "picture-{}.jpg"), None),
    }
    for name, (data, bar) in nodes.items():
        yield Case(f"decode {LINKS} links, {name}", partial(decode_node, data), bar)


def _block_cases() -> Iterator[Case]:
    data = bytes(CHUNK_BYTES)
    cid = sha256_cid(RAW, hashlib.sha256(data).digest())
    yield Case("verify 256 KiB", lambda: verify(cid, data))
    yield Case("hashlib.sha256 alone", lambda: hashlib.sha256(data).digest())


def cases() -> list[Case]:
    """Return everything that is timed, in the order of the table."""
    return [*_cid_cases(), *_node_cases(), *_block_cases()]


def measure_us(run: Callable[[], object], *, batches: int = BATCHES) -> float:
    """Return the median time of one call in microseconds of CPU."""
    timer = timeit.Timer(run, timer=time.process_time)
    once_s = max(timer.timeit(10) / 10, 1e-7)
    number = max(1, int(BATCH_S / once_s))
    return statistics.median(timer.repeat(batches, number)) / number * 1e6


def main() -> None:
    """Time everything and print the table."""
    print(f"{'what':34} {'median us':>10} {'bar us':>8}")
    for case in cases():
        median = measure_us(case.run)
        bar = "" if case.bar_us is None else f"{case.bar_us:8.0f}"
        over = "  over" if case.bar_us is not None and median > case.bar_us else ""
        print(f"{case.name:34} {median:10.1f} {bar:>8}{over}")


if __name__ == "__main__":
    main()
