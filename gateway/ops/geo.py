"""Where addresses are, from a GeoIP database file that may be replaced at any time.

Two shapes of record are read: MaxMind's (City, Country, Enterprise, and databases of others that
are made like them), and flat ones with `country_code`, `latitude` and `longitude` at the top.
"""

import os
import shutil
import threading
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Final

import geoip2.models
import maxminddb
import structlog

from gateway.errors import BadSetting
from gateway.ports import Clock, Place
from gateway.regular_file import open_regular

CHECK_EVERY_S: Final = 1.0
MAX_DATABASE_BYTES: Final = 2 * 1024 * 1024 * 1024  # the largest that is sold has a third of that
MAX_PLACES: Final = 65_536  # answers kept: 40 us each to find again, 20 MB when full
SAMPLE: Final = 1000  # records looked at to tell the shape of a database

_NESTED: Final = frozenset(("country", "continent", "location", "registered_country"))
_FLAT: Final = frozenset(("country_code", "latitude"))
_Record = Mapping[str, Any]

_log = structlog.stdlib.get_logger(__name__)


class _Database:
    """One opened file. It never changes; another file is another object, with a cache of its own.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no database of places.
        maxminddb.InvalidDatabaseError: it is broken.
    """

    def __init__(self, path: Path) -> None:
        self._reader = _open_copy(path)
        self._read = _shape(self._reader)
        self._is_complained_of = False
        self.find = lru_cache(MAX_PLACES)(self._find)

    def _find(self, address: str) -> Place | None:
        try:
            record = self._reader.get(address)
            return self._read(record) if isinstance(record, dict) else None
        except maxminddb.InvalidDatabaseError as exc:
            self._complain(exc)
        except (TypeError, ValueError):  # no address, IPv6 in an IPv4 database, an odd record
            pass
        return None

    def _complain(self, error: Exception) -> None:
        if not self._is_complained_of:
            self._is_complained_of = True
            _log.error("geoip_broken", reason=str(error))


def _open_copy(path: Path) -> maxminddb.Reader:
    """Open a copy that nobody can cut short.

    The C reader maps the file, and a mapped file that somebody overwrites in place ends the
    process with SIGBUS. The Python reader needs no mapping, but takes 10 times as long.
    """
    try:
        return _open_sealed(path)
    except (AttributeError, OSError):  # no memfds or no procfs: not Linux, or refused by seccomp
        with open_regular(path, MAX_DATABASE_BYTES) as original:
            return maxminddb.open_database(original, maxminddb.MODE_FD)


def _open_sealed(path: Path) -> maxminddb.Reader:
    with (
        open_regular(path, MAX_DATABASE_BYTES) as original,
        os.fdopen(os.memfd_create("geoip"), "wb") as copy,
    ):
        shutil.copyfileobj(original, copy, 1 << 20)
        copy.flush()
        return maxminddb.open_database(f"/proc/self/fd/{copy.fileno()}")


def _shape(reader: maxminddb.Reader) -> Callable[[_Record], Place | None]:
    """Choose how to read records, by the first ones."""
    for _, record in islice(reader, SAMPLE):
        if isinstance(record, dict):
            if not _FLAT.isdisjoint(record):
                return _read_flat
            if not _NESTED.isdisjoint(record):
                return _read_nested
    raise ValueError(f"a {reader.metadata().database_type} database has no places")


def _read_nested(record: _Record) -> Place | None:
    city = geoip2.models.City(["en"], **record)
    location = city.location
    return _place(city.country.iso_code, city.continent.code, location.latitude, location.longitude)


def _read_flat(record: _Record) -> Place | None:
    return _place(
        record.get("country_code"),
        record.get("continent_code"),
        record.get("latitude"),
        record.get("longitude"),
    )


def _place(country: Any, continent: Any, latitude: Any, longitude: Any) -> Place | None:
    """Make a place of what is usable; None when nothing is."""
    place = Place(_code(country), _code(continent), _angle(latitude, 90), _angle(longitude, 180))
    if place.latitude is None or place.longitude is None:
        place = Place(place.country, place.continent)
    return None if place == Place() else place


def _code(text: Any) -> str | None:
    is_code = isinstance(text, str) and len(text) == 2 and text.isascii() and text.isalpha()
    return text.upper() if is_code else None


def _angle(value: Any, most: int) -> float | None:
    angle = None if value is None else float(value)
    return angle if angle is not None and -most <= angle <= most else None  # nan is not


def _in_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="geoip-reload", daemon=True).start()


class GeoDatabase:
    """Implements `gateway.ports.GeoLookup`.

    The file is looked at once a second, while addresses are looked up. A new one is read beside
    the event loop (copying 60 MB takes 50 ms) and takes the place of the old one in one step; a
    broken one is logged, and the old one stays.

    Args:
        path: the database; empty for none, and then nothing is ever found.
        clock: when to look at the file again.
        start: runs the reading of a new file.

    Raises:
        BadSetting: there is no such file, or it is no database of places.
    """

    def __init__(
        self, path: str, clock: Clock, start: Callable[[Callable[[], None]], None] = _in_thread
    ) -> None:
        self._path = Path(path).expanduser()
        self._clock = clock
        self._start = start
        self._check_at = clock.monotonic() + CHECK_EVERY_S
        self._is_loading = False
        self._seen = self._stamp() if path else None
        self._database: _Database | None = None
        if path:
            try:
                self._database = _Database(self._path)
            except (OSError, ValueError, maxminddb.InvalidDatabaseError) as exc:
                raise BadSetting("geoip.database", f"{path}: {_words(exc)}") from exc

    def find(self, address: str) -> Place | None:
        """Return the place of an IP address; None when it is not known or not an address."""
        if self._database is None:
            return None
        now = self._clock.monotonic()
        if now >= self._check_at:
            self._check_at = now + CHECK_EVERY_S
            self._check()
        return self._database.find(address)

    def _check(self) -> None:
        stamp = self._stamp()
        if stamp == self._seen or self._is_loading:
            return
        self._seen = stamp
        if stamp is None:
            _log.warning("geoip_kept", file=str(self._path), reason="the file is gone")
            return
        self._is_loading = True
        self._start(self._load)

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _load(self) -> None:
        try:
            self._database = _Database(self._path)
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as exc:
            _log.error("geoip_kept", file=str(self._path), reason=_words(exc))
        else:
            _log.info("geoip_reloaded", file=str(self._path))
        finally:
            self._is_loading = False


def _words(error: Exception) -> str:
    """Say what is wrong without naming the copy that was read."""
    if isinstance(error, maxminddb.InvalidDatabaseError):
        return "not a readable MaxMind DB file"
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
