from dataclasses import replace

import pytest

from gateway.content.cid import parse_cid
from gateway.content.walk import Scope
from gateway.protocol.car import DEFAULT_CAR, CarParams
from gateway.protocol.etags import (
    block_etag,
    car_etag,
    file_etag,
    listing_etag,
    preview_etag,
    tar_etag,
)
from gateway.protocol.formats import ResponseFormat

V0 = "Qmd9GD7Bauh6N2ZLfNnYS3b7QVAijbud83b8GE8LPMNBBP"
CID = parse_cid(V0)


def test_etags_print_the_cid_as_the_dag_has_it() -> None:
    assert file_etag(CID) == f'"{V0}"'.encode()
    assert block_etag(CID, ResponseFormat.RAW) == f'"{V0}.raw"'.encode()
    assert block_etag(CID, ResponseFormat.DAG_JSON) == f'"{V0}.dag-json"'.encode()
    assert preview_etag(CID, "ab") == f'"DagIndex-ab_CID-{V0}"'.encode()
    assert tar_etag(CID) == f'W/"{V0}.x-tar"'.encode()


def test_listing_etag_changes_with_the_template() -> None:
    assert listing_etag(CID, "abc") == f'"DirIndex-abc_CID-{V0}"'.encode()


def test_car_etag_is_weak_and_stays_the_same() -> None:
    etag = car_etag(CID, "/ipfs/x", DEFAULT_CAR)
    assert etag.startswith(f'W/"{V0}.car.'.encode())
    assert etag == car_etag(CID, "/ipfs/x", CarParams())


@pytest.mark.parametrize(
    ("path", "car"),
    [
        pytest.param("/ipfs/y", DEFAULT_CAR, id="path"),
        pytest.param("/ipfs/x", replace(DEFAULT_CAR, scope=Scope.ENTITY), id="scope"),
        pytest.param("/ipfs/x", replace(DEFAULT_CAR, dups=True), id="dups"),
        pytest.param("/ipfs/x", replace(DEFAULT_CAR, start=1), id="start"),
        pytest.param("/ipfs/x", replace(DEFAULT_CAR, stop=1), id="stop"),
    ],
)
def test_car_etag_changes_with(path: str, car: CarParams) -> None:
    assert car_etag(CID, path, car) != car_etag(CID, "/ipfs/x", DEFAULT_CAR)
