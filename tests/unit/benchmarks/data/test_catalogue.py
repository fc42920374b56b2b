from pathlib import Path

from benchmarks.data.catalogue import Catalogue, Item, load_catalogue
from benchmarks.data.content import digest, pack, random_bytes
from gateway.demo.carfile import CarFile


def test_a_catalogue_comes_back_from_its_file(tmp_path: Path) -> None:
    catalogue = Catalogue(
        [Item("/ipfs/a/1.json", 1, 2.5)], [Item("/ipfs/a/1.png", 2, 1.0)], [], ["/ipfs/a/"]
    )
    catalogue.save(tmp_path / "catalogue.json")
    assert load_catalogue(tmp_path / "catalogue.json") == catalogue


def test_packed_files_are_the_same_in_every_run(tmp_path: Path) -> None:
    first, second = (pack(tmp_path / name, {"x/1.bin": 10, "2.bin": 2_000_000}) for name in "ab")
    assert first.root == second.root
    with CarFile(first.car) as blocks:
        assert any(block.data == random_bytes("x/1.bin", 10) for block in blocks.read_all())


def test_files_of_different_names_differ() -> None:
    assert digest("a", 100) != digest("b", 100)
