import os
import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import maxminddb
import pytest
from structlog.testing import capture_logs

from gateway.errors import BadSetting
from gateway.ops.geo import GeoDatabase
from gateway.ports import GeoLookup, Place
from tests.fakes.clock import FakeClock
from tests.fakes.mmdb import Value, write_mmdb

DATA = Path(__file__).parents[2] / "data" / "maxmind"
CITY = DATA / "GeoIP2-City-Test.mmdb"
COUNTRY = DATA / "GeoLite2-Country-Test.mmdb"
LINKOPING = "89.160.20.112"
Table = Mapping[str, Mapping[str, Value]]
STOCKHOLM: Table = {"192.0.2.0/24": {"country_code": "SE", "latitude": 59.33, "longitude": 18.07}}
TOKYO: Table = {"192.0.2.0/24": {"country_code": "JP", "latitude": 35.68, "longitude": 139.69}}


def at_once(work: Callable[[], None]) -> None:
    work()


def flat(folder: Path, records: Table) -> Path:
    path = folder / "flat.mmdb"
    path.write_bytes(write_mmdb("flat", records))
    return path


@pytest.mark.parametrize(
    ("address", "place"),
    [
        pytest.param(LINKOPING, Place("SE", "EU", 58.4167, 15.6167), id="sweden"),
        pytest.param("81.2.69.142", Place("GB", "EU", 51.5142, -0.0931), id="london"),
        pytest.param("216.160.83.56", Place("US", "NA", 47.2513, -122.3149), id="milton"),
        pytest.param("175.16.199.1", Place("CN", "AS", 43.88, 125.3228), id="changchun"),
        pytest.param("2001:218::1", Place("JP", "AS", 35.68536, 139.75309), id="v6"),
        pytest.param("1.1.1.1", None, id="not-listed"),
        pytest.param("127.0.0.1", None, id="loopback"),
        pytest.param("unix", None, id="no-address"),
        pytest.param("", None, id="empty"),
        pytest.param("89.160.20.112:80", None, id="port"),
    ],
)
def test_city_database(address: str, place: Place | None) -> None:
    assert GeoDatabase(str(CITY), FakeClock()).find(address) == place


def test_country_database_has_no_coordinates() -> None:
    assert GeoDatabase(str(COUNTRY), FakeClock()).find(LINKOPING) == Place("SE", "EU")


@pytest.mark.parametrize(
    ("record", "place"),
    [
        pytest.param(
            {"country_code": "SE", "latitude": 59.33, "longitude": 18.07, "city": "Stockholm"},
            Place("SE", None, 59.33, 18.07),
            id="city",
        ),
        pytest.param({"country_code": "se"}, Place("SE"), id="country-only-lower-case"),
        pytest.param(
            {"country_code": "JP", "continent_code": "AS"}, Place("JP", "AS"), id="continent"
        ),
        pytest.param(
            {"country_code": "SE", "latitude": "59.33", "longitude": "18.07"},
            Place("SE", None, 59.33, 18.07),
            id="numbers-as-text",
        ),
        pytest.param(
            {"country_code": "SE", "latitude": 91.0, "longitude": 18.07}, Place("SE"), id="no-angle"
        ),
        pytest.param(
            {"country_code": "SE", "latitude": float("nan"), "longitude": 1.0},
            Place("SE"),
            id="nan",
        ),
        pytest.param({"country_code": "SE", "latitude": 59.33}, Place("SE"), id="half-a-point"),
        pytest.param({"country_code": "Sweden"}, None, id="no-code"),
        pytest.param({"country_code": 46, "latitude": "north"}, None, id="odd-types"),
    ],
)
def test_flat_database(tmp_path: Path, record: Mapping[str, Value], place: Place | None) -> None:
    database = GeoDatabase(str(flat(tmp_path, {"192.0.2.0/24": record})), FakeClock())
    assert database.find("192.0.2.77") == place
    assert database.find("198.51.100.1") is None
    assert database.find("2001:db8::1") is None


def test_no_database_finds_nothing() -> None:
    assert GeoDatabase("", FakeClock()).find(LINKOPING) is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("absent.mmdb", "No such file or directory", id="absent"),
        pytest.param(".", "Is a directory", id="folder"),
        pytest.param("README", "not a readable MaxMind DB file", id="text"),
        pytest.param("GeoLite2-ASN-Test.mmdb", "a GeoLite2-ASN database has no places", id="asn"),
        *[
            pytest.param(f"broken/{path.name}", "not a readable MaxMind DB file", id=path.stem)
            for path in sorted((DATA / "broken").iterdir())
        ],
    ],
)
def test_a_bad_database_stops_the_start(name: str, reason: str, tmp_path: Path) -> None:
    shutil.copytree(DATA, tmp_path, dirs_exist_ok=True)
    (tmp_path / "README").write_text("not a database")
    with pytest.raises(BadSetting, match=rf"^geoip\.database: .*{name}: {reason}$"):
        GeoDatabase(str(tmp_path / name), FakeClock())


def test_a_new_file_is_read_within_a_second(tmp_path: Path) -> None:
    path, clock = flat(tmp_path, STOCKHOLM), FakeClock()
    database = GeoDatabase(str(path), clock, at_once)
    assert database.find("192.0.2.1") == Place("SE", None, 59.33, 18.07)
    (tmp_path / "new").write_bytes(write_mmdb("flat", TOKYO))
    (tmp_path / "new").rename(path)
    clock.advance(1)
    assert database.find("192.0.2.1") == Place("JP", None, 35.68, 139.69)


def test_a_file_overwritten_in_place_is_read_too(tmp_path: Path) -> None:
    path, clock = tmp_path / "places.mmdb", FakeClock()
    shutil.copyfile(CITY, path)
    database = GeoDatabase(str(path), clock, at_once)
    path.write_bytes(b"")
    assert database.find(LINKOPING) == Place("SE", "EU", 58.4167, 15.6167)
    path.write_bytes(write_mmdb("flat", TOKYO))
    clock.advance(1)
    assert database.find(LINKOPING) is None
    assert database.find("192.0.2.1") == Place("JP", None, 35.68, 139.69)


def put_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    "break_it",
    [
        pytest.param(Path.unlink, id="gone"),
        pytest.param(lambda path: path.write_bytes(b"junk"), id="junk"),
        pytest.param(put_pipe, id="pipe-without-a-writer"),
        pytest.param(lambda path: shutil.copy(DATA / "GeoLite2-ASN-Test.mmdb", path), id="asn"),
    ],
)
def test_a_broken_file_keeps_the_old_places_and_is_logged_once(
    tmp_path: Path, break_it: Callable[[Path], object]
) -> None:
    path, clock = flat(tmp_path, STOCKHOLM), FakeClock()
    database = GeoDatabase(str(path), clock, at_once)
    break_it(path)
    with capture_logs() as logs:
        for _ in range(5):
            clock.advance(1)
            assert database.find("192.0.2.1") == Place("SE", None, 59.33, 18.07)
    assert [log["event"] for log in logs] == ["geoip_kept"]
    path.unlink(missing_ok=True)  # it may be a pipe
    path.write_bytes(write_mmdb("flat", TOKYO))
    clock.advance(1)
    assert database.find("192.0.2.1") == Place("JP", None, 35.68, 139.69)


def test_the_file_is_not_looked_at_more_than_once_a_second(tmp_path: Path) -> None:
    path, clock = flat(tmp_path, STOCKHOLM), FakeClock()
    loads: list[Callable[[], None]] = []
    database = GeoDatabase(str(path), clock, loads.append)
    path.write_bytes(write_mmdb("flat", TOKYO))
    clock.advance(0.9)
    database.find("192.0.2.1")
    assert loads == []
    clock.advance(0.1)
    database.find("192.0.2.1")
    database.find("192.0.2.1")
    assert len(loads) == 1


def test_one_load_at_a_time(tmp_path: Path) -> None:
    path, clock = flat(tmp_path, STOCKHOLM), FakeClock()
    loads: list[Callable[[], None]] = []
    database = GeoDatabase(str(path), clock, loads.append)
    for size in range(3):
        path.write_bytes(bytes(size))
        clock.advance(1)
        database.find("192.0.2.1")
    assert len(loads) == 1
    path.write_bytes(write_mmdb("flat", TOKYO))
    loads[0]()
    assert database.find("192.0.2.1") == Place("JP", None, 35.68, 139.69)


def test_a_new_file_is_read_beside_the_event_loop(tmp_path: Path) -> None:
    path, clock = flat(tmp_path, STOCKHOLM), FakeClock()
    database = GeoDatabase(str(path), clock)
    path.write_bytes(write_mmdb("flat", TOKYO))
    clock.advance(1)
    database.find("192.0.2.1")
    for thread in threading.enumerate():
        if thread.name == "geoip-reload":
            thread.join()
    assert database.find("192.0.2.1") == Place("JP", None, 35.68, 139.69)


def test_broken_records_are_not_known_and_logged_once(tmp_path: Path) -> None:
    path = tmp_path / "cut.mmdb"
    whole = write_mmdb("flat", {**STOCKHOLM, "198.51.100.0/24": {"country_code": "XX"}})
    path.write_bytes(whole.replace(b"\x42XX", b"\xff\xff\xff"))
    database = GeoDatabase(str(path), FakeClock())
    with capture_logs() as logs:
        assert database.find("198.51.100.1") is None
        assert database.find("198.51.100.2") is None
    assert [log["event"] for log in logs] == ["geoip_broken"]


def test_works_without_memfd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    assert GeoDatabase(str(CITY), FakeClock()).find(LINKOPING) == Place(
        "SE", "EU", 58.4167, 15.6167
    )


@pytest.mark.parametrize("error", [PermissionError(1, "refused"), OSError(38, "no such call")])
def test_works_where_memfds_are_refused(error: OSError, monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue 12, 30: a container's seccomp profile answers so."""

    def refuse(_name: str) -> int:
        raise error

    monkeypatch.setattr(os, "memfd_create", refuse)
    assert GeoDatabase(str(CITY), FakeClock()).find(LINKOPING) == Place(
        "SE", "EU", 58.4167, 15.6167
    )


def test_works_without_procfs(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = maxminddb.open_database

    def open_database(path: str | Path, *mode: int) -> maxminddb.Reader:
        if str(path).startswith("/proc/"):
            raise FileNotFoundError(path)
        return opened(path, *mode)

    monkeypatch.setattr(maxminddb, "open_database", open_database)
    assert GeoDatabase(str(CITY), FakeClock()).find(LINKOPING) is not None


def test_a_home_directory_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(DATA))
    assert GeoDatabase("~/GeoIP2-City-Test.mmdb", FakeClock()).find(LINKOPING) is not None


_: GeoLookup = GeoDatabase("", FakeClock())  # mypy proves that it fits the port
