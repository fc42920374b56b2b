import tracemalloc
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.block import MAX_BLOCK_BYTES, Block, verify
from gateway.content.car import (
    MAX_HEADER_BYTES,
    MAX_SECTION_BYTES,
    CarParser,
    car_header,
    car_section,
)
from gateway.content.cid import RAW, Cid, parse_cid, sha256_cid
from gateway.content.varint import encode_varint
from gateway.errors import BadCar
from tests.fakes.car_data import DATA
from tests.strategies import blocks

Sections = list[tuple[Cid, bytes]]
CID = sha256_cid(RAW, bytes(32))
HEADER = car_header([CID])


def write(held: list[Block]) -> bytes:
    return b"".join([HEADER, *[part for block in held for part in car_section(block)]])


def section(body: bytes) -> bytes:
    return encode_varint(len(CID.encode()) + len(body)) + CID.encode() + body


def feed(pieces: list[bytes]) -> tuple[Sections, str]:
    """Return what a parser makes of the pieces, and its complaint, if any."""
    parser = CarParser()
    sections: Sections = []
    try:
        for piece in pieces:
            sections += parser.feed(piece)
        parser.finish()
    except BadCar as exc:
        return sections, str(exc)
    return sections, ""


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    return [data[a:b] for a, b in pairwise([0, *sorted(cuts), len(data)])]


@given(st.lists(blocks(), max_size=8))
def test_parser_reads_what_was_written(held: list[Block]) -> None:
    assert feed([write(held)]) == ([(block.cid, block.data) for block in held], "")


@given(st.data(), st.lists(blocks(), max_size=6), st.binary(max_size=3), st.integers(0, 200))
def test_any_split_gives_the_same(
    data: st.DataObject, held: list[Block], garbage: bytes, lost: int
) -> None:
    whole = write(held)
    whole = whole[: len(whole) - lost] + garbage
    cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=5))

    assert feed(split(whole, cuts)) == feed([whole])
    assert feed([whole[at : at + 1] for at in range(len(whole))]) == feed([whole])


@given(st.lists(blocks(), min_size=1, max_size=4), st.data())
def test_any_flipped_byte_gives_the_same_in_any_split(
    held: list[Block], data: st.DataObject
) -> None:
    broken = bytearray(write(held))
    broken[data.draw(st.integers(0, len(broken) - 1))] ^= data.draw(st.integers(1, 255))
    whole = bytes(broken)

    assert feed([whole[at : at + 1] for at in range(len(whole))]) == feed([whole])


@pytest.mark.parametrize("piece", [1000, 4095, 4096, 4097, 65536, 1 << 20])
def test_large_blocks_survive_any_size_of_piece(piece: int) -> None:
    body = bytes(range(256)) * 4096
    whole = HEADER + section(body) * 2 + section(b"") + section(body)
    sections, error = feed([whole[at : at + piece] for at in range(0, len(whole), piece)])

    assert error == ""
    assert [held for _, held in sections] == [body, body, b"", body]


def test_drip_of_large_and_single_bytes_is_joined() -> None:
    body = bytes(20_000)
    whole = HEADER + section(body)
    pieces = split(whole, [*range(3000, 3100), *range(9000, 9010), 15_000])

    assert feed(pieces) == ([(CID, body)], "")


def test_block_in_single_bytes_costs_little_more_than_itself() -> None:
    parser = CarParser()
    parser.feed(HEADER + section(bytes(30_000))[:50])
    tracemalloc.start()
    for _ in range(20_000):
        parser.feed(b"x")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 60_000


def test_declared_length_allocates_nothing() -> None:
    parser = CarParser()
    beginning = section(bytes(MAX_BLOCK_BYTES))[:500]
    tracemalloc.start()
    parser.feed(HEADER + beginning)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 100_000


def test_roots_are_known_once_the_header_has_come() -> None:
    parser = CarParser()
    parser.feed(HEADER[:-1])
    assert parser.roots is None
    parser.feed(HEADER[-1:])

    assert parser.roots == (CID,)


def test_car_without_roots_and_blocks_is_a_car() -> None:
    parser = CarParser()

    assert parser.feed(car_header([])) == []
    parser.finish()
    assert parser.roots == ()


def test_section_does_not_copy_the_block() -> None:
    block = verify(parse_cid("bafkqaaa"), b"")
    data = b"hello"
    held = verify(parse_cid("bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq"), data)

    assert car_section(held) == [b"\x29" + held.cid.encode(), data]
    assert car_section(held)[1] is data
    assert car_section(block) == [b"\x04\x01\x55\x00\x00", b""]


def car_files() -> list[Path]:
    names = ("gateway-conformance", "boxo")
    return sorted(path for name in names for path in (DATA / name).rglob("*.car"))


@pytest.mark.parametrize("path", car_files(), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_block_of_the_fixtures_verifies_and_is_written_as_it_was(path: Path) -> None:
    whole = path.read_bytes()
    parser = CarParser()
    sections = parser.feed(whole)
    parser.finish()
    held = [verify(cid, data) for cid, data in sections]

    assert parser.roots is not None
    written = [car_header(parser.roots), *[part for block in held for part in car_section(block)]]
    assert b"".join(written) == whole


def test_conformance_fixtures_are_all_here() -> None:
    conformance = [path for path in car_files() if "gateway-conformance" in path.parts]

    assert len(conformance) == 26


@pytest.mark.parametrize(
    ("name", "blocks", "error"),
    [
        pytest.param("simple-unixfs", 22, "", id="good"),
        pytest.param("simple-unixfs-missing-blocks", 17, "", id="missing-blocks"),
        pytest.param("badheaderlength", 0, "a header of 216830324832 bytes", id="header-length"),
        pytest.param("badsectionlength", 0, "a section of 216830324832", id="section-length"),
        pytest.param("sample-corrupt-pragma", 0, "ends inside its header", id="pragma"),
        pytest.param("sample-rootless-v42", 0, "its version is 42, not 1", id="v42"),
        pytest.param("sample-unixfs-v2", 0, "its version is 2, not 1", id="v2"),
        pytest.param("sample-rw-bs-v2", 0, "its version is 2, not 1", id="v2-open"),
        pytest.param("sample-v1-with-zero-len-section2", 20, "a section of 0 bytes", id="zero"),
    ],
)
def test_go_car_fixture_is_read_as_far_as_it_is_good(name: str, blocks: int, error: str) -> None:
    sections, complaint = feed([(DATA / "go-car" / f"{name}.car").read_bytes()])

    assert len(sections) == blocks
    assert error in complaint
    assert bool(error) == bool(complaint)


V0 = parse_cid("QmYhmPjhFjYFyaoiuNzYv8WGavpSRDwdHWe5B4M5du5Rtk").encode()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "ends inside its header", id="nothing"),
        pytest.param(b"\0", "a header of 0 bytes", id="no-header"),
        pytest.param(b"<!doctype html>", "ends inside its header", id="html"),
        pytest.param(HEADER[:-1], "ends inside its header", id="header-cut-short"),
        pytest.param(b"\x80", "ends inside its header", id="length-cut-short"),
        pytest.param(b"\x81\x00", "not minimal", id="length-not-minimal"),
        pytest.param(b"\xff" * 10, "longer than 9 bytes", id="length-of-ten-bytes"),
        pytest.param(b"\xff" * 8 + b"\x7f", f"a header of {2**63 - 1}", id="length-huge"),
        pytest.param(
            encode_varint(MAX_HEADER_BYTES + 1), "a header of 32769 bytes", id="header-too-long"
        ),
        pytest.param(HEADER + b"\x80", "inside a section", id="section-length-cut-short"),
        pytest.param(HEADER + b"\0", "a section of 0 bytes", id="zero-length-section"),
        pytest.param(HEADER + b"\x81\x00", "not minimal", id="section-length-not-minimal"),
        pytest.param(
            HEADER + encode_varint(MAX_SECTION_BYTES + 1), "a section of", id="section-too-long"
        ),
        pytest.param(
            HEADER + section(bytes(MAX_BLOCK_BYTES + 1)), "a block of 2097153", id="block-too-long"
        ),
        pytest.param(HEADER + section(b"abc")[:-1], "inside a section", id="block-cut-short"),
        pytest.param(HEADER + section(b"abc")[:20], "inside a section", id="cid-cut-short"),
        pytest.param(HEADER + b"\x02\x01\x55", "invalid CID", id="section-ends-in-its-cid"),
        pytest.param(
            HEADER + b"\x21" + V0[:-1] + b"\0", "digest does not end", id="v0-longer-than-section"
        ),
        pytest.param(HEADER + b"\x05\x05\x55\x00\x01a", "version 5", id="cid-of-version-5"),
        pytest.param(
            HEADER + b"\x08\x01\x55\xd5\x01\x04" + bytes(3), "md5", id="hash-that-is-not-taken"
        ),
    ],
)
def test_malformed_car_is_refused(data: bytes, reason: str) -> None:
    _, error = feed([data])

    assert reason in error


def test_defect_is_told_after_the_blocks_in_front_of_it() -> None:
    parser = CarParser()

    assert parser.feed(HEADER + section(b"good") + b"\0" + section(b"behind")) == [(CID, b"good")]
    with pytest.raises(BadCar, match="a section of 0 bytes"):
        parser.feed(section(b"more"))
    with pytest.raises(BadCar, match="a section of 0 bytes"):
        parser.finish()
