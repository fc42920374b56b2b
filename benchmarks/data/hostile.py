"""Content that is cheap to make and dear to answer with: the inputs of `benchmarks.stalls`."""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from gateway.content.block import Block, verify
from gateway.content.cid import DAG_CBOR, DAG_PB, RAW, Cid, make_cid, sha256_cid
from gateway.content.dag_pb import PBLink, PBNode, encode_node
from gateway.content.multihash import IDENTITY
from gateway.content.unixfs_message import UnixFs, UnixFsType, encode_unixfs

MIB: Final = 1024 * 1024
DIRECTORY: Final = encode_unixfs(UnixFs(UnixFsType.DIRECTORY))
LEAF: Final = b"hello"
MANY_LINKS: Final = 42_000
RULES_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Input:
    """One request, or several, for hostile content."""

    name: str
    target: str
    blocks: tuple[Block, ...]
    headers: dict[str, str] = field(default_factory=dict)
    host: str = ""


def block_of(codec: int, data: bytes) -> Block:
    """Return a block of some bytes."""
    return verify(sha256_cid(codec, hashlib.sha256(data).digest()), data)


def directory_of(links: Iterator[tuple[str, Cid]]) -> Block:
    """Return a directory in one block."""
    found = tuple(PBLink(cid.encode(), name, 1) for name, cid in links)
    return block_of(DAG_PB, encode_node(PBNode(found, DIRECTORY)))


def identity(codec: int, data: bytes) -> Cid:
    """Return the CID that is its own block."""
    return make_cid(codec, IDENTITY, data)


def make_inputs() -> list[Input]:
    """Return the inputs of issue 12, 19 to 22, that are a request each."""
    leaf = block_of(RAW, LEAF)
    wide = directory_of((f"{n:x}", leaf.cid) for n in range(MANY_LINKS))
    inlined = directory_of((f"{n}", identity(RAW, b"%d" % n)) for n in range(50_000))
    nested = _nested()
    named = directory_of(iter([("n" * (2 * MIB - 200), leaf.cid)]))
    links = _cbor_links(leaf.cid)
    key = _cbor_text_key()
    listed = {"Accept": "text/html"}
    return [
        Input("listing of 42,000 links", f"/ipfs/{wide.cid}/", (wide, leaf)),
        Input("name in 42,000 links", f"/ipfs/{wide.cid}/7", (wide, leaf)),
        Input("CAR of 42,000 links", f"/ipfs/{wide.cid}?format=car", (wide, leaf)),
        Input("TAR of 42,000 links", f"/ipfs/{wide.cid}?format=tar", (wide, leaf)),
        Input("block of 2 MiB", f"/ipfs/{wide.cid}?format=raw", (wide,)),
        Input("CAR of 50,000 identity links", f"/ipfs/{inlined.cid}?format=car", (inlined,)),
        Input("TAR of 50,000 identity links", f"/ipfs/{inlined.cid}?format=tar", (inlined,)),
        Input("CAR of nested identity links", f"/ipfs/{nested.cid}?format=car", (nested,)),
        Input("listing with a name of 2 MB", f"/ipfs/{named.cid}/", (named,)),
        Input("path in 99,990 links of CBOR", f"/ipfs/{links.cid}/7", (links, leaf)),
        Input("page of 99,990 links of CBOR", f"/ipfs/{links.cid}", (links,), listed),
        Input("page of a key of 2 MB", f"/ipfs/{key.cid}", (key,), listed),
        *_redirects(),
    ]


def _nested() -> Block:
    """Return a node full of identity nodes that hold identity nodes."""
    inner = PBLink(identity(DAG_PB, b"").encode(), None, None)
    cids = []
    for number in range(16_000):
        data = encode_node(PBNode((inner,) * 8, b"%d" % number))
        cids.append(PBLink(identity(DAG_PB, data).encode(), None, None))
    return block_of(DAG_PB, encode_node(PBNode(tuple(cids), None)))


def _cbor_links(target: Cid) -> Block:
    """Return a list of 99,990 links: to a block, and then to what is in the links themselves."""
    first = target.encode()
    own = identity(RAW, b"").encode()
    items = [_cbor_link(first)] * 8 + [_cbor_link(own)] * 99_982
    return block_of(DAG_CBOR, b"\x9a" + len(items).to_bytes(4, "big") + b"".join(items))


def _cbor_link(cid: bytes) -> bytes:
    size = len(cid) + 1
    head = bytes((0x40 | size,)) if size < 24 else bytes((0x58, size))
    return b"\xd8\x2a" + head + b"\0" + cid


def _cbor_text_key() -> Block:
    key = b"k" * (2 * MIB - 100)
    return block_of(DAG_CBOR, b"\xa1\x7a" + len(key).to_bytes(4, "big") + key + b"\x01")


def _redirects() -> Iterator[Input]:
    first = b"/:a/* /" + b":a" * 32_000 + b" 302\n"
    rules = b"".join(b"/%d/:x/y /z 302\n" % n for n in range(3600))
    for name, text, path in (
        ("_redirects that repeats 8 kB", first[: RULES_BYTES - 1], "a" * 7800 + "/b"),
        ("_redirects of 3,600 rules", rules[:RULES_BYTES], "b/" * 120 + "c" * 7500),
    ):
        file = block_of(RAW, text)
        site = directory_of(iter([("_redirects", file.cid)]))
        host = f"{site.cid}.ipfs.localhost"
        yield Input(name, f"/{path}", (site, file), host=host)


def random_names(count: int) -> Iterator[str]:
    """Yield host names that nobody has."""
    chance = random.Random(12)
    for _ in range(count):
        yield f"{chance.randbytes(12).hex()}.example"
