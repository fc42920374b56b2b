import base64
import json
from pathlib import Path
from typing import Any

import ipld_dag_pb as oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multiformats import CID as ORACLE_CID

from gateway.content.block import MAX_BLOCK_BYTES, verify
from gateway.content.cid import CODEC_NAMES, DAG_PB, RAW, Cid, decode_cid, parse_cid, sha256_cid
from gateway.content.dag_pb import MAX_LINKS, MAX_SIZE, PBLink, PBNode, decode_node, encode_node
from gateway.content.entry_name import encode_name, is_text
from gateway.errors import BadBlock, BadCid
from tests.refusal import check_refused
from tests.strategies import known_cids, links, nodes

DATA = Path(__file__).parents[2] / "data/codec-fixtures"
GOOD = [
    pytest.param(path, id=path.parent.name.removeprefix("dagpb_"))
    for path in sorted(DATA.glob("*/*.dag-pb"))
]
EDGES = [
    pytest.param(case["hex"], id=case["name"])
    for case in json.loads((DATA / "dag-pb-decode-edges.json").read_text(encoding="utf-8"))
]
V0 = b"\x12\x20" + bytes(32)
V1 = b"\x01\x55" + V0
HASH = b"\x0a\x22" + V0


def field(tag: int, content: bytes) -> bytes:
    """A length-delimited field of less than 128 bytes."""
    return bytes((tag, len(content))) + content


def link_of(content: bytes) -> bytes:
    return field(0x12, content)


def _from_dag_json(path: Path) -> PBNode:
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    found = tuple(
        PBLink(parse_cid(link["Hash"]["/"]).encode(), link.get("Name"), link.get("Tsize"))
        for link in value["Links"]
    )
    if "Data" not in value:
        return PBNode(found, None)
    text = value["Data"]["/"]["bytes"]
    return PBNode(found, base64.b64decode(text + "=" * (-len(text) % 4)))


@pytest.mark.parametrize("path", GOOD)
def test_public_blocks_say_what_their_dag_json_says(path: Path) -> None:
    block = verify(parse_cid(path.stem), path.read_bytes())
    node = decode_node(block.data)
    assert node == _from_dag_json(next(path.parent.glob("*.dag-json")))
    assert encode_node(node) == block.data


@pytest.mark.parametrize("text", EDGES)
def test_public_negative_blocks_are_refused(text: str) -> None:
    check_refused(BadBlock, "malformed dag-pb: ", decode_node, bytes.fromhex(text))


@pytest.mark.parametrize(
    ("data", "node"),
    [
        pytest.param(b"", PBNode((), None), id="no-bytes"),
        pytest.param(b"\x0a\x00", PBNode((), b""), id="empty-data"),
        pytest.param(
            b"\x0a\x01x" + link_of(HASH), PBNode((PBLink(V0, None, None),), b"x"), id="data-first"
        ),
        pytest.param(
            link_of(HASH + b"\x12\x00\x18\x00") + b"\x0a\x01x",
            PBNode((PBLink(V0, "", 0),), b"x"),
            id="empty-name-and-zero-size",
        ),
        pytest.param(
            link_of(HASH + b"\x18" + b"\xff" * 9 + b"\x01"),
            PBNode((PBLink(V0, None, MAX_SIZE),), None),
            id="largest-size",
        ),
        pytest.param(
            link_of(field(0x0A, V1) + field(0x12, "é".encode())),
            PBNode((PBLink(V1, "é", None),), None),
            id="cid-v1-and-utf-8-name",
        ),
        pytest.param(
            b"\x12\xac\x01" + HASH + b"\x12\x85\x01" + b"n" * 133,
            PBNode((PBLink(V0, "n" * 133, None),), None),
            id="lengths-of-two-bytes",
        ),
        pytest.param(
            b"\x12\x88\x01\x0a\x85\x01\x01\x55\x00\x80\x01" + b"i" * 128,
            PBNode((PBLink(b"\x01\x55\x00\x80\x01" + b"i" * 128, None, None),), None),
            id="identity-cid-of-133-bytes",
        ),
    ],
)
def test_decode_node_reads(data: bytes, node: PBNode) -> None:
    assert decode_node(data) == node


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"\x0a", "does not end", id="tag-alone"),
        pytest.param(b"\x0a\x02x", "does not end", id="data-past-the-end"),
        pytest.param(b"\x12\x30" + HASH, "does not end", id="link-past-the-end"),
        pytest.param(b"\x0a\x80", "does not end", id="length-cut"),
        pytest.param(b"\x0a\x81\x00x", "not minimal", id="length-not-minimal"),
        pytest.param(b"\x0a" + b"\xff" * 10, "more than 64 bits", id="length-of-11-bytes"),
        pytest.param(b"\x0a\x00\x0a\x00", "tag 0x0a unknown, twice", id="data-twice"),
        pytest.param(
            link_of(HASH) + b"\x0a\x00" + link_of(HASH), "tag 0x12 .* out of", id="data-between"
        ),
        pytest.param(
            b"\x0a\x00" + link_of(HASH) + b"\x0a\x00",
            "tag 0x0a .* twice",
            id="data-before-and-after",
        ),
        pytest.param(b"\x1a\x00", "tag 0x1a unknown", id="unknown-field"),
        pytest.param(b"\x08\x00", "tag 0x08 unknown", id="data-as-varint"),
        pytest.param(b"\x13\x00", "tag 0x13 unknown", id="group"),
        pytest.param(b"\x8a\x00\x00", "tag 0x8a unknown", id="tag-not-minimal"),
        pytest.param(b"\x12\x00", "not start with its Hash", id="empty-link"),
        pytest.param(b"\x12\x00" * 40_000, "not start with its Hash", id="40000-empty-links"),
        pytest.param(link_of(b"\x12\x01a"), "not start with its Hash", id="hash-absent"),
        pytest.param(link_of(b"\x0a"), "does not end", id="hash-without-length"),
        pytest.param(link_of(b"\x0a\x00"), "Hash: invalid CID", id="hash-empty"),
        pytest.param(link_of(b"\x0a\x02ab"), "Hash: invalid CID", id="hash-no-cid"),
        pytest.param(link_of(b"\x0a\x24" + V0), "2 bytes follow", id="v0-hash-past-the-end"),
        pytest.param(link_of(b"\x0a\x23" + V0 + b"x"), "1 bytes follow", id="hash-and-more"),
        pytest.param(link_of(HASH[:-1]), "does not end", id="v0-hash-cut"),
        pytest.param(link_of(b"\x0a\x21" + V0[:-1]), "a digest does not end", id="digest-cut"),
        pytest.param(link_of(field(0x0A, V1)[:-1]), "does not end", id="v1-hash-cut"),
        pytest.param(
            link_of(field(0x0A, b"\x01\x55\x12\x14" + bytes(20))), "32 bytes, not 20", id="cut-sha2"
        ),
        pytest.param(link_of(HASH + HASH), "tag 0x0a .* twice", id="hash-twice"),
        pytest.param(link_of(HASH + b"\x12\x00\x12\x00"), "tag 0x12 .* twice", id="name-twice"),
        pytest.param(link_of(HASH + b"\x18\x00\x18\x00"), "tag 0x18 .* twice", id="size-twice"),
        pytest.param(link_of(HASH + b"\x18\x00\x12\x00"), "out of order", id="size-before-name"),
        pytest.param(link_of(b"\x12\x00" + HASH), "not start with", id="name-before-hash"),
        pytest.param(link_of(HASH + b"\x22\x00"), "tag 0x22 unknown", id="unknown-link-field"),
        pytest.param(link_of(HASH + b"\x10\x00"), "tag 0x10 unknown", id="name-as-varint"),
        pytest.param(link_of(HASH + b"\x1a\x01\x00"), "tag 0x1a unknown", id="size-as-bytes"),
        pytest.param(link_of(HASH + b"\x12"), "does not end", id="name-without-length"),
        pytest.param(link_of(HASH + b"\x12\x02a"), "does not end", id="name-past-the-end"),
        pytest.param(link_of(HASH + b"\x18"), "does not end", id="size-cut"),
        pytest.param(link_of(HASH + b"\x18\x80\x00"), "not minimal", id="size-not-minimal"),
        pytest.param(
            link_of(HASH + b"\x18" + b"\xff" * 9 + b"\x02"),
            "more than 64 bits",
            id="size-of-65-bits",
        ),
        pytest.param(
            link_of(HASH + b"\x18" + b"\xff" * 10 + b"\x01"), "more than 64", id="size-of-11-bytes"
        ),
    ],
)
def test_decode_node_refuses(data: bytes, reason: str) -> None:
    check_refused(BadBlock, f"malformed dag-pb: .*{reason}", decode_node, data)


def test_decode_node_takes_as_many_links_as_a_block_of_sha2_256_links_has() -> None:
    link = link_of(HASH)
    assert MAX_BLOCK_BYTES // len(link) == MAX_LINKS
    assert len(decode_node(link * MAX_LINKS).links) == MAX_LINKS
    with pytest.raises(BadBlock, match=f"more than {MAX_LINKS} links"):
        decode_node(link * (MAX_LINKS + 1))


@pytest.mark.parametrize("size", [-1, MAX_SIZE + 1])
def test_encode_node_refuses_a_size_over_64_bits(size: int) -> None:
    check_refused(
        ValueError, "a uint64 holds", encode_node, PBNode((PBLink(V0, None, size),), None)
    )


def test_link_gives_its_cid() -> None:
    assert PBLink(V0, None, None).cid == sha256_cid(DAG_PB, bytes(32), version=0)
    assert PBLink(V1, None, None).cid == sha256_cid(RAW, bytes(32))


@pytest.mark.property
@given(nodes)
def test_decode_node_undoes_encode(node: PBNode) -> None:
    assert decode_node(encode_node(node)) == node


@pytest.mark.property
@given(nodes)
def test_data_before_links_means_the_same(node: PBNode) -> None:
    both = encode_node(PBNode((), node.data)) + encode_node(PBNode(node.links, None))
    assert decode_node(both) == node


# ---- the same, from a decoder without a fast path ----------------------------------------------


class Refused(Exception):
    """The plain decoder does not take it."""


def plain_varint(data: bytes) -> tuple[int, bytes]:
    for size in range(1, min(10, len(data)) + 1):
        if data[size - 1] < 0x80:
            value = sum((byte & 0x7F) << 7 * at for at, byte in enumerate(data[:size]))
            if value > MAX_SIZE or (size > 1 and data[size - 1] == 0):
                break
            return value, data[size:]
    raise Refused


def plain_bytes(data: bytes) -> tuple[bytes, bytes]:
    size, rest = plain_varint(data)
    if size > len(rest):
        raise Refused
    return rest[:size], rest[size:]


def plain_link(data: bytes) -> PBLink:
    name = size = None
    if data[:1] != b"\x0a":
        raise Refused
    cid, data = plain_bytes(data[1:])
    try:
        if decode_cid(cid)[1] != len(cid):
            raise Refused
        if data[:1] == b"\x12":
            raw, data = plain_bytes(data[1:])
            name = raw.decode(errors="surrogateescape")
    except BadCid:
        raise Refused from None
    if data[:1] == b"\x18":
        size, data = plain_varint(data[1:])
    if data:
        raise Refused
    return PBLink(cid, name, size)


def plain_node(data: bytes) -> PBNode | None:
    """Decode field by field; None for what is refused."""
    order = ""
    found: list[PBLink] = []
    body: bytes | None = None
    try:
        while data:
            tag = data[0]
            content, data = plain_bytes(data[1:])
            if tag == 0x12:
                found.append(plain_link(content))
            elif tag == 0x0A:
                body = content
            else:
                return None
            order += "L" if tag == 0x12 else "D"
    except Refused:
        return None
    is_in_order = order.count("D") <= 1 and "D" not in order.strip("D")
    return PBNode(tuple(found), body) if is_in_order else None


def decoded(data: bytes) -> PBNode | None:
    try:
        return decode_node(data)
    except BadBlock:
        return None


@st.composite
def file_nodes(draw: st.DrawFn) -> bytes:
    """Encoded nodes with runs of links of one shape, as files have them."""
    parts: list[PBLink] = []
    for shape in draw(st.lists(links, max_size=3)):
        name = draw(st.sampled_from((None, "", shape.name)))
        head = draw(st.sampled_from((V0[:2], V1[:4], b"\x01\x70\x12\x20", b"\x01\x51\x1e\x20")))
        digests = [n.to_bytes(32, "big") for n in range(draw(st.integers(0, 4)))]
        parts += [PBLink(head + digest, name, shape.size) for digest in digests]
        parts.append(shape)
    return encode_node(PBNode(tuple(parts), draw(st.none() | st.binary(max_size=8))))


@pytest.mark.property
@given(file_nodes())
def test_runs_of_alike_links_are_decoded_like_single_ones(data: bytes) -> None:
    node = plain_node(data)
    assert node is not None
    assert decode_node(data) == node


@pytest.mark.property
@given(file_nodes(), st.data())
def test_damaged_nodes_are_decoded_or_refused_alike(data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(data)))
    cut = draw.draw(st.integers(0, 3))
    damage = draw.draw(st.sampled_from((b"", b"\x00", b"\x80", b"\xff")) | st.binary(max_size=4))
    damaged = data[:at] + damage + data[at + cut :]
    assert decoded(damaged) == plain_node(damaged)


@pytest.mark.parametrize("count", [1, 2, 174, 1024, 3000])
def test_links_of_a_file_keep_their_order_and_its_last_may_differ(count: int) -> None:
    digests = [n.to_bytes(32, "big") for n in range(count)]
    parts = [PBLink(V0[:2] + digest, "", 262_158) for digest in digests]
    node = PBNode((*parts, PBLink(V0, "", 14)), b"\x08\x02")
    assert decode_node(encode_node(node)) == node


# ---- the same, from ipld-dag-pb ----------------------------------------------------------------


def in_canonical_order(node: PBNode) -> PBNode:
    """Sort the links by the bytes of their names: their encoder refuses others."""
    key = [((link.name or "").encode(), at) for at, link in enumerate(node.links)]
    return PBNode(tuple(node.links[at] for _, at in sorted(key)), node.data)


known_links = st.builds(
    PBLink,
    hash=known_cids.map(Cid.encode),
    name=st.none() | st.text(max_size=8),
    size=st.none() | st.integers(0, (1 << 53) - 1),  # theirs are JavaScript's integers
)
known_nodes = st.builds(
    PBNode,
    links=st.lists(known_links, max_size=3).map(tuple),
    data=st.none() | st.binary(max_size=20),
).map(in_canonical_order)


def theirs(node: PBNode) -> oracle.PBNode:
    parts = [
        oracle.PBLink(ORACLE_CID.decode(link.hash), link.name, link.size) for link in node.links
    ]
    return oracle.PBNode(node.data, parts)


@pytest.mark.property
@given(known_nodes)
def test_nodes_agree_with_ipld_dag_pb(node: PBNode) -> None:
    data = encode_node(node)
    assert bytes(oracle.encode(theirs(node))) == data
    assert oracle.decode(data) == theirs(node)


def is_known_to_the_oracle(link: PBLink) -> bool:
    return link.cid.codec in CODEC_NAMES and is_text(link.name or "")


@pytest.mark.parametrize(
    "name", [b"caf\xe9.txt", b"\xff", b"\xed\xa0\x80", b"\xc0\xae", b"\xc3\xa9", b""]
)
def test_names_keep_every_byte(name: bytes) -> None:
    """Issue 12, 11: names are bytes, whether they are UTF-8 or not."""
    data = link_of(HASH + b"\x12" + bytes([len(name)]) + name)
    node = decode_node(data)

    assert encode_name(node.links[0].name or "") == name
    assert encode_node(node) == data


@pytest.mark.property
@given(known_nodes, st.data())
def test_what_is_taken_means_the_same_to_ipld_dag_pb(node: PBNode, draw: st.DataObject) -> None:
    data = bytearray(encode_node(node) + b"\x0a\x00" * (node.data is None))
    data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    ours = decoded(bytes(data))
    if ours is not None and all(is_known_to_the_oracle(link) for link in ours.links):
        assert oracle.decode(bytes(data)) == theirs(ours)
