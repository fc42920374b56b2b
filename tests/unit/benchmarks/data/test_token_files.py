from collections import Counter
from pathlib import Path

import pytest

from benchmarks.data.blocks import block_of
from benchmarks.data.token_files import pack_site, shelve, zipf
from gateway.content.cid import parse_cid
from gateway.demo.carfile import CarFile


def test_files_are_in_directories_of_a_hundred(tmp_path: Path) -> None:
    files = shelve(tmp_path / "files.car", "some", [50] * 150)
    assert Counter(file.path.split("/")[2] for file in files).most_common() == [
        (files[0].path.split("/")[2], 100),
        (files[100].path.split("/")[2], 50),
    ]
    with CarFile(tmp_path / "files.car") as blocks:
        assert all(parse_cid(file.path.split("/")[2]) in blocks for file in files)


def test_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    (file,) = shelve(tmp_path / "files.car", "some", [5000])
    assert file.cid == str(block_of(file.body()).cid)
    assert len(file.body()) == 5000
    (other,) = shelve(tmp_path / "files.car", "other", [5000])
    assert other.body() != file.body()


def test_what_has_to_come_is_what_is_asked_for(tmp_path: Path) -> None:
    (file,) = shelve(tmp_path / "files.car", "some", [5000])
    part = file.ask_range(1000, 500)
    assert (part.status, part.size, part.make_body()) == (206, 500, file.body()[1000:1500])
    assert part.headers == (("Range", "bytes=1000-1499"),)
    again = file.ask_again()
    assert (again.status, again.size, again.make_body()) == (304, 0, b"")
    assert again.headers == (("If-None-Match", f'"{file.cid}"'),)


def test_a_site_is_a_directory_with_a_page_of_a_size(tmp_path: Path) -> None:
    site = pack_site(tmp_path / "site.car", 2000)
    assert site.ask().path == f"/ipfs/{site.cid}/"
    assert len(site.ask().make_body()) == site.ask().size == 2000
    assert site.ask_subdomain().headers == (("Host", f"{site.cid}.ipfs.localhost"),)


def test_zipf_asks_for_the_first_as_often_as_its_exponent_says(tmp_path: Path) -> None:
    asks = [file.ask() for file in shelve(tmp_path / "files.car", "some", [10] * 200)]
    counts = sorted(Counter(zipf(asks, draws=50_000).order).values(), reverse=True)
    assert len(counts) == 200
    assert counts[0] / counts[9] == pytest.approx(10**0.9, rel=0.15)
    assert zipf(asks).order == zipf(asks).order
