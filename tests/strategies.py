"""Hypothesis strategies that several tests share."""

import hashlib

from hypothesis import strategies as st

from gateway.content.block import Block, verify
from gateway.content.cid import (
    CODEC_NAMES,
    DAG_PB,
    RAW,
    Cid,
    make_cid,
    sha256_cid,
)
from gateway.content.dag_pb import MAX_SIZE, PBLink, PBNode
from gateway.content.ipld import Value
from gateway.content.multihash import HASHES, IDENTITY, MAX_IDENTITY_BYTES

uint63s = st.integers(0, (1 << 63) - 1)


def digests(code: int) -> st.SearchStrategy[bytes]:
    """Digests as long as those of the hash function `code`."""
    if code == IDENTITY:
        return st.binary(max_size=MAX_IDENTITY_BYTES)
    size = HASHES[code].size
    return st.binary(min_size=size, max_size=size)


@st.composite
def cids(draw: st.DrawFn, *, codecs: st.SearchStrategy[int] | None = None) -> Cid:
    """Valid CIDs of both versions, every hash function and any codec."""
    version = draw(st.sampled_from((0, 1, 1, 1)))
    if version == 0:
        return sha256_cid(DAG_PB, draw(st.binary(min_size=32, max_size=32)), version=0)
    known = st.sampled_from(sorted(CODEC_NAMES))
    codec = draw(known | uint63s if codecs is None else codecs)
    code = draw(st.sampled_from((IDENTITY, *sorted(HASHES))))
    return make_cid(codec, code, draw(digests(code)))


@st.composite
def blocks(draw: st.DrawFn, *, max_size: int = 256) -> Block:
    """Verified blocks of arbitrary bytes, raw or dag-pb, of both CID versions."""
    data = draw(st.binary(max_size=max_size))
    codec, version = draw(st.sampled_from(((RAW, 1), (DAG_PB, 1), (DAG_PB, 0))))
    return verify(sha256_cid(codec, hashlib.sha256(data).digest(), version), data)


def _cid_of(codec: int, code: int) -> Cid:
    size = MAX_IDENTITY_BYTES if code == IDENTITY else HASHES[code].size
    return make_cid(codec, code, hashlib.shake_128(b"%d %d" % (codec, code)).digest(size))


known_cids = st.sampled_from(
    [_cid_of(codec, code) for codec in CODEC_NAMES for code in (IDENTITY, *HASHES)]
    + [sha256_cid(DAG_PB, hashlib.sha256(b"%d" % n).digest(), version=0) for n in range(100)]
)
"""One CID for each codec and hash function, and some of version 0: quick to draw."""

links = st.builds(
    PBLink,
    hash=known_cids.map(Cid.encode),
    name=st.none() | st.text(max_size=8),
    size=st.none() | st.integers(0, MAX_SIZE),
)

nodes = st.builds(
    PBNode,
    links=st.lists(links, max_size=4).map(tuple),
    data=st.none() | st.binary(max_size=16),
)
"""Valid dag-pb nodes; links in any order, as decoders keep them."""


_scalars: st.SearchStrategy[Value] = (
    cids()
    | st.binary(max_size=4)
    | st.text(max_size=4)
    | st.integers(-(2**64), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.none()
)


def _hold(inner: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    keys = st.text(max_size=3).filter(lambda key: key != "/")  # DAG-JSON reserves it
    return st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4)


values: st.SearchStrategy[Value] = st.recursive(_scalars, _hold)
"""Values of the IPLD data model."""
