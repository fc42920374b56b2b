from pathlib import Path

import pytest

from gateway.content.build import build_file
from gateway.content.cid import parse_cid
from gateway.demo.carfile import CarFile
from gateway.demo.pack import write_car
from gateway.errors import BadBlock, BadCar, BlockAbsent

_ABSENT = parse_cid("bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy")


@pytest.fixture
def car(tmp_path: Path) -> Path:
    path = tmp_path / "two.car"
    write_car(path, build_file(bytes(range(256)) * 8192), lambda _: None)
    return path


def test_every_block_of_the_file_is_found_and_right(car: Path) -> None:
    with CarFile(car) as blocks:
        read = list(blocks.read_all())
        assert len(read) == len(blocks) == 2  # two equal leaves are one block, and their root
        assert [blocks.get(block.cid) for block in read] == read
        assert all(block.cid in blocks for block in read)


def test_an_absent_block_is_told_by_name(car: Path) -> None:
    with CarFile(car) as blocks:
        assert _ABSENT not in blocks
        with pytest.raises(BlockAbsent, match=str(_ABSENT)):
            blocks.get(_ABSENT)


def test_an_identity_cid_needs_no_file(car: Path) -> None:
    with CarFile(car) as blocks:
        empty = parse_cid("bafkqaaa")
        assert empty in blocks
        assert blocks.get(empty).data == b""


def test_a_flipped_bit_is_never_a_block(car: Path) -> None:
    data = bytearray(car.read_bytes())
    data[5000] ^= 1
    car.write_bytes(data)
    with CarFile(car) as blocks, pytest.raises(BadBlock, match="do not match"):
        list(blocks.read_all())


@pytest.mark.parametrize(
    ("cut", "reason"),
    [
        pytest.param(-1, "in the middle", id="in-a-block"),
        pytest.param(60, "does not end", id="in-a-cid"),
        pytest.param(20, "in the middle", id="in-the-header"),
        pytest.param(0, "does not end", id="empty"),
    ],
)
def test_a_cut_file_is_refused(car: Path, cut: int, reason: str) -> None:
    car.write_bytes(car.read_bytes()[:cut])
    with pytest.raises(BadCar, match=reason):
        CarFile(car)
