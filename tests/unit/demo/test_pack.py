from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.content.build import Build, build_file, collect
from gateway.content.car import CarParser
from gateway.content.listing import list_directory
from gateway.content.resolve import resolve
from gateway.content.unixfs import ShardEntity
from gateway.content.walk import run, run_stream
from gateway.demo.carfile import CarFile
from gateway.demo.pack import (
    DEMO_ROOT,
    PACKED_BYTES,
    Folder,
    pack_demo,
    write_car,
)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    car = pack_demo(tmp_path_factory.mktemp("demo"), lambda _: None)
    yield car
    car.unlink()


def _ignore(_: int) -> None:
    pass


def test_the_demo_is_the_same_on_every_machine(packed: Path) -> None:
    parser = CarParser()
    with packed.open("rb") as file:
        parser.feed(file.read(1024))
    assert parser.roots == (DEMO_ROOT,)


def test_every_packed_block_is_right(packed: Path) -> None:
    with CarFile(packed) as blocks:
        assert sum(len(block.data) for block in blocks.read_all()) > 64 * 1024 * 1024


def test_the_size_told_to_the_progress_bar_is_that_of_the_file(packed: Path) -> None:
    assert packed.stat().st_size == pytest.approx(PACKED_BYTES, rel=0.001)


def test_a_packed_demo_is_not_packed_again(packed: Path) -> None:
    written: list[int] = []
    before = packed.stat()
    assert pack_demo(packed.parent, written.append) == packed
    assert written == []
    assert packed.stat().st_ino == before.st_ino


def test_a_rotten_demo_is_packed_again(packed: Path, tmp_path: Path) -> None:
    rotten = tmp_path / packed.name
    rotten.write_bytes(packed.read_bytes()[:-1] + b"?")
    written: list[int] = []
    assert pack_demo(tmp_path, written.append).read_bytes() == packed.read_bytes()
    assert written


def test_the_demo_holds_two_thousand_entries_in_a_hamt(packed: Path) -> None:
    with CarFile(packed) as file:
        blocks = {block.cid.multihash: block for block in file.read_all()}
    many = run(resolve(DEMO_ROOT, ("many",)), blocks)
    assert isinstance(many.entity, ShardEntity)
    assert len(list(run_stream(list_directory(many.entity), blocks))) == 2000


def test_folders_are_made_on_the_way() -> None:
    leaf, blocks = collect(build_file(b"deep"))
    tree = Folder()
    tree.add(("a", "b", "c.txt"), leaf)
    root, more = collect(tree.build())
    found = run(
        resolve(root.cid, ("a", "b", "c.txt")),
        {block.cid.multihash: block for block in blocks + more},
    )
    assert found.block.data == b"deep"


def _break_off() -> Build:
    yield from build_file(b"first")
    raise OSError(28, "No space left on device")


def test_a_car_that_is_not_finished_never_appears(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        write_car(tmp_path / "x.car", _break_off(), _ignore)
    assert list(tmp_path.iterdir()) == []
