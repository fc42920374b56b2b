"""The operator's denylists: loaded at the start, reloaded when they change.

At the start a missing or unreadable list is an error: a configured list must not turn out later to
have had no effect. After that the last good rules stay in force until the lists can be read again.
A malformed line is skipped and logged, as in nopfs: one typing error must not disable all other
lines. A list that had rules and is now empty, has no valid rule or ends inside a line is being
written, or is the rest of a broken download: the last good rules stay in force then, too.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.content.cid import Cid
from gateway.content.deny_rules import LEGAL, MAX_LINE_BYTES, BadDenylist, parse_rule, read_header
from gateway.content.deny_table import DenyTable, DenyTableBuilder, DenyVerdict
from gateway.content.names import Name
from gateway.content.path import AnyPath, ContentPath
from gateway.errors import BadSetting, Denied
from gateway.ports import Clock
from gateway.regular_file import read_regular

SUFFIX: Final = ".deny"
LOOK_EVERY_S: Final = 1.0
"""Interval of the checks. A change of a short list takes effect within 5 s: this, `SETTLE_S`, and
the time to read it."""
SETTLE_S: Final = 0.5
"""Between two checks of a list that has changed: if it differs again, it is still being written."""
MAX_LIST_BYTES: Final = 256 * 1024 * 1024
"""Of one file: three million double hashes. badbits has 40 MiB."""
MAX_KNOWN_BLOCKS: Final = 4096
"""Cached verdicts: hashing a CID twice costs as much as reading a row."""
MAX_LOGGED_LINES: Final = 10
"""Malformed lines of each file in the log and in the state."""

Stamp = tuple[tuple[str, int, int, int], ...]

_log = logging.getLogger("gateway.denylist")


@dataclass(frozen=True, slots=True)
class ListFile:
    """One file as it was loaded."""

    name: str
    rules: int
    skipped: tuple[str, ...]
    """The first `MAX_LOGGED_LINES` malformed lines, as `line number: reason`."""
    skipped_count: int
    incomplete: str = ""
    """Why it may be only a part of a list; empty if it looks complete."""


@dataclass(frozen=True, slots=True)
class Lists:
    """All files as they were loaded, with the rules of all in one table."""

    table: DenyTable
    files: tuple[ListFile, ...]
    stamp: Stamp

    @property
    def incomplete(self) -> str:
        """The files that may be only parts of lists, with reasons; empty if there are none."""
        return "; ".join(
            [f"{file.name} {file.incomplete}" for file in self.files if file.incomplete]
        )


def read_lists(places: Sequence[str]) -> Lists:
    """Load files, and the `*.deny` files of folders in the order of their names.

    Raises:
        OSError: a file or folder cannot be read.
        BadDenylist: a header is malformed.
    """
    builder = DenyTableBuilder()
    paths = _files_of(places)
    stamp = _stamp_of(paths)
    files = tuple([_read_file(builder, path) for path in paths])
    return Lists(builder.build(), files, stamp)


def check_lists(places: Sequence[str], *, is_strict: bool = False) -> tuple[ListFile, ...]:
    """Load all lists and return what each file holds; for a check of the configuration.

    Raises:
        BadSetting: a list cannot be read; if `is_strict`, also if one is incomplete.
    """
    return _read(places, is_strict=is_strict).files


def _read(places: Sequence[str], *, is_strict: bool) -> Lists:
    try:
        lists = read_lists(places)
    except (OSError, BadDenylist) as exc:
        raise BadSetting("denylist.files", str(exc)) from exc
    if is_strict and lists.incomplete:
        raise BadSetting("denylist.files", lists.incomplete)
    return lists


def _files_of(places: Sequence[str]) -> list[Path]:
    found: list[Path] = []
    for place in places:
        path = Path(place).expanduser()
        found += _lists_in(path) if path.is_dir() else [path]
    return found


def _lists_in(folder: Path) -> list[Path]:
    # Not `glob`: it treats an unreadable folder as an empty one.
    return sorted([path for path in folder.iterdir() if path.name.endswith(SUFFIX)])


def _stamp_of(paths: Sequence[Path]) -> Stamp:
    """Return a value that differs after a file was changed, replaced, added or removed."""
    stats = [(str(path), path.stat()) for path in paths]
    return tuple([(name, s.st_ino, s.st_size, s.st_mtime_ns) for name, s in stats])


def _read_file(builder: DenyTableBuilder, path: Path) -> ListFile:
    builder.open_file(path.name)
    rules = skipped_count = 0
    skipped: list[str] = []
    data = read_regular(path, MAX_LIST_BYTES)
    try:
        header = read_header(data)
    except BadDenylist as exc:
        raise BadDenylist(f"{path}: {exc}") from exc
    first_line = 1 + data.count(b"\n", 0, header.size_bytes)
    for number, line in _lines_of(data, header.size_bytes, first_line):
        try:
            rule = parse_rule(_decode(line), header.hints)
        except BadDenylist as exc:
            skipped_count += 1
            if len(skipped) < MAX_LOGGED_LINES:
                skipped.append(f"{number}: {exc}")
            continue
        if rule is not None:
            builder.add(rule, number)
            rules += 1
    incomplete = _why_incomplete(data, rules)
    return ListFile(str(path), rules, tuple(skipped), skipped_count, incomplete)


def _why_incomplete(data: bytes, rules: int) -> str:
    if not data:
        return "is empty"
    if not rules:
        return "has no valid rule"
    return "" if data.endswith(b"\n") else "ends inside a line"


def _require_whole(lists: Lists, last: Lists) -> None:
    """Check that no list that had rules before is incomplete now.

    Raises:
        BadDenylist: one is; names the file.
    """
    had_rules = {file.name for file in last.files if file.rules}
    for file in lists.files:
        if file.incomplete and file.name in had_rules:
            raise BadDenylist(f"{file.name} {file.incomplete}, and had rules before")


def _lines_of(data: bytes, start: int, number: int) -> Iterator[tuple[int, bytes]]:
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        yield number, data[start:end]
        start, number = end + 1, number + 1


def _decode(line: bytes) -> str:
    if len(line) >= MAX_LINE_BYTES:
        raise BadDenylist(f"the line is longer than {MAX_LINE_BYTES} bytes")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        raise BadDenylist("the line is not UTF-8") from None


class Denylist:
    """The rules in force; implements `gateway.ports.Denials`.

    Args:
        places: files and folders.
        clock: the time.
        is_strict: whether lists must be complete at the start.

    Raises:
        BadSetting: a list cannot be read, or is incomplete and `is_strict` is set.
    """

    def __init__(self, places: Sequence[str], clock: Clock, *, is_strict: bool = False) -> None:
        self._places = places
        self._clock = clock
        self._known: OrderedDict[tuple[bytes, bool], DenyVerdict | None] = OrderedDict()
        self._denied = 0
        self._problem = ""
        self._refused: Stamp | None = None
        self._lists = _read(places, is_strict=is_strict)
        self._read_at = clock.now()
        self._log_state()

    def check(self, path: AnyPath) -> None:
        """Refuse a blocked path; see `gateway.ports.Denials`."""
        is_root = isinstance(path, ContentPath)
        name: Name = path.root if isinstance(path, ContentPath) else path.name
        verdict = None
        if path.segments:
            verdict = self._lists.table.find(name, "/".join(path.segments), is_root=is_root)
        # A blocked root or name blocks everything below it.
        verdict = verdict or self._find_root(name, is_root=is_root)
        if verdict is not None:
            raise self._deny(str(path), verdict)

    def check_block(self, cid: Cid) -> None:
        """Refuse a blocked block; see `gateway.ports.Denials`."""
        verdict = self._find_root(cid, is_root=True)
        if verdict is not None:
            raise self._deny(str(cid), verdict)

    def _find_root(self, name: Name, *, is_root: bool) -> DenyVerdict | None:
        # A legacy anchor covers one codec; a key and a root may have the same multihash.
        key = (name.encode(), is_root)
        known = self._known
        if key in known:
            known.move_to_end(key)
            return known[key]
        verdict = known[key] = self._lists.table.find(name, "", is_root=is_root)
        if len(known) > MAX_KNOWN_BLOCKS:
            known.popitem(last=False)
        return verdict

    async def follow(self, changed: Callable[[], None]) -> None:
        """Reload the lists whenever they change, until cancelled.

        Args:
            changed: called after new rules have come into force.
        """
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if await self.look():
                changed()

    async def look(self) -> bool:
        """Reload the lists if they have changed; return whether new rules are in force.

        Lists that change during the check are left to the next one.
        """
        try:
            stamp = await asyncio.to_thread(self._stamp)
            if stamp == self._refused:
                return False
            if stamp == self._lists.stamp:
                self._problem = ""
                return False
            await asyncio.sleep(SETTLE_S)
            lists = await asyncio.to_thread(self._read_settled, stamp)
        except (OSError, BadDenylist) as exc:
            if str(exc) != self._problem:
                _log.error("the denylists cannot be read; the last rules stay in force: %s", exc)
            self._problem = str(exc)
            return False
        if lists is None:
            return False
        self._problem = ""
        self._lists = lists
        self._known.clear()
        self._read_at = self._clock.now()
        self._log_state()
        return True

    def state(self) -> dict[str, object]:
        """Return the rules in force in this process as JSON, for operators."""
        return {
            "rules": len(self._lists.table),
            "denied": self._denied,
            "read_at": self._read_at,
            "problem": self._problem or self._lists.incomplete,
            "files": [
                {
                    "file": file.name,
                    "rules": file.rules,
                    "skipped": file.skipped_count,
                    "skipped_lines": list(file.skipped),
                }
                for file in self._lists.files
            ],
        }

    def _stamp(self) -> Stamp:
        return _stamp_of(_files_of(self._places))

    def _read_settled(self, stamp: Stamp) -> Lists | None:
        """Load the lists; None if they differ from `stamp` before or after."""
        if self._stamp() != stamp:
            return None
        try:
            lists = read_lists(self._places)
            _require_whole(lists, self._lists)
        except (OSError, BadDenylist):
            self._refused = stamp  # do not read a million bad lines again each second
            raise
        return lists if self._stamp() == stamp else None

    def _deny(self, subject: str, verdict: DenyVerdict) -> Denied:
        self._denied += 1
        is_by_law = verdict.status == LEGAL
        return Denied(subject, verdict.reason, verdict.where, is_by_law=is_by_law)

    def _log_state(self) -> None:
        for file in self._lists.files:
            _log.info("denylist %s: %d rules", file.name, file.rules)
            for line in file.skipped:
                _log.error("denylist %s, line %s: skipped", file.name, line)
            if file.skipped_count > len(file.skipped):
                _log.error("denylist %s: %d lines skipped", file.name, file.skipped_count)
        if self._lists.incomplete:
            _log.error("denylists may be incomplete: %s", self._lists.incomplete)
