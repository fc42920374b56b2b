"""The rules of all denylists in compact form, and the look-up of the last one that matches."""

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Final

from gateway.content.cid import Cid
from gateway.content.deny_rules import (
    GONE,
    KEY_BYTES,
    Rule,
    double_key,
    exact_key,
    legacy_key,
    subject_of,
)
from gateway.content.names import Name

NEVER_BLOCKED: Final = frozenset(
    bytes.fromhex(text)
    for text in (
        "0000",  # identity, nothing: bafkqaaa
        "00040a020801",  # identity, the empty directory: bafyaabakaieac
        "122059948439065f29619ef41280cbb932be52c56d99c5966b65e0111239f098bbef",  # empty directory
        "1220bfccda787baba32b59c78450ac3d20b633360b43992c77289f9ed46d843561e6",  # empty file
        "1220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",  # nothing
        "1220c19a797fa1fd590cd2e5b42d1cf5f246e29b91684e2f87404b81dc345c7a56a0",  # {} in dag-cbor
        "122044136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",  # {} in dag-json
    )
)
"""Multihashes of empty content, which occurs everywhere; as in nopfs of Kubo and Rainbow."""


@dataclass(frozen=True, slots=True)
class DenyVerdict:
    """The last rule that matches a path, and blocks it."""

    status: int
    reason: str
    where: str
    """File and line of the rule, for the operator only."""


@dataclass(slots=True)
class _Special:
    """The fields that only few rules have."""

    status: int
    reason: str


@dataclass(slots=True)
class DenyTable:
    """An immutable table of rules; `DenyTableBuilder` makes it."""

    keys: bytes = b""
    """The keys, sorted and concatenated."""
    numbers: "array[int]" = field(default_factory=lambda: array("I"))
    """Number of the rule of each key."""
    prefixes: dict[bytes, list[tuple[str, int]]] = field(default_factory=dict)
    allowed: frozenset[int] = frozenset()
    special: dict[int, _Special] = field(default_factory=dict)
    lines: "array[int]" = field(default_factory=lambda: array("I"))
    """Line of each rule in its file."""
    files: list[tuple[int, str]] = field(default_factory=list)
    """`(number of its first rule, name)` of each file."""
    hash_codes: tuple[int, ...] = ()
    has_legacy: bool = False

    def __len__(self) -> int:
        """Return the number of rules."""
        return len(self.lines)

    def find(self, name: Name, path: str, *, is_root: bool) -> DenyVerdict | None:
        """Return the rule that blocks a path; None when none does.

        Args:
            name: the root or name of the path.
            path: the decoded rest of the path, without leading or trailing slash.
            is_root: whether `name` is a root, and not a key or domain.
        """
        if is_root and not path and isinstance(name, Cid) and name.multihash in NEVER_BLOCKED:
            return None
        last = max(self._matches(name, path, is_root=is_root), default=-1)
        return None if last < 0 or last in self.allowed else self._verdict(last)

    def _matches(self, name: Name, path: str, *, is_root: bool) -> Iterator[int]:
        subject = subject_of(name, is_root=is_root)
        yield self._number(exact_key(subject, path))
        for code in self.hash_codes:
            yield self._number(double_key(name, path, code))
        if self.has_legacy:
            yield self._number(legacy_key(name, path))
        for prefix, number in self.prefixes.get(subject, ()):
            if path.startswith(prefix):
                yield number

    def _number(self, key: bytes) -> int:
        """Return the number of the rule with a key; -1 if there is none."""
        low, high = 0, len(self.numbers)
        keys = self.keys
        while low < high:
            middle = (low + high) >> 1
            at = middle * KEY_BYTES
            found = keys[at : at + KEY_BYTES]
            if found == key:
                return self.numbers[middle]
            low, high = (middle + 1, high) if found < key else (low, middle)
        return -1

    def _verdict(self, number: int) -> DenyVerdict:
        special = self.special.get(number)
        at = bisect_right(self.files, number, key=lambda file: file[0]) - 1
        return DenyVerdict(
            special.status if special else GONE,
            special.reason if special else "",
            f"{self.files[at][1]}:{self.lines[number]}",
        )


class DenyTableBuilder:
    """Collects rules in their order; later ones take precedence."""

    def __init__(self) -> None:
        """Start with an empty table."""
        self._table = DenyTable()
        # By first byte: a sort of a million keys at once blocks other threads for half a second.
        self._buckets: list[list[bytes]] = [[] for _ in range(256)]
        self._allowed: set[int] = set()
        self._hash_codes: set[int] = set()

    def open_file(self, name: str) -> None:
        """Start a file: all following rules belong to it."""
        self._table.files.append((len(self._table.lines), name))

    def add(self, rule: Rule, line: int) -> None:
        """Add the next rule, with its line number."""
        table = self._table
        number = len(table.lines)
        table.lines.append(line)
        if rule.keys:
            suffix = number.to_bytes(4, "big")
            for key in rule.keys:
                self._buckets[key[0]].append(key + suffix)
        else:
            table.prefixes.setdefault(rule.subject, []).append((rule.prefix, number))
        if rule.is_allowed:
            self._allowed.add(number)
        if rule.status != GONE or rule.reason:
            table.special[number] = _Special(rule.status, rule.reason)
        if rule.hash_code is not None:
            self._hash_codes.add(rule.hash_code)
        table.has_legacy |= rule.is_legacy

    def build(self) -> DenyTable:
        """Return the table; the last of several rules with one key counts."""
        table, keys = self._table, bytearray()
        for entries in self._buckets:
            entries.sort()
            follows = [entry[:KEY_BYTES] for entry in entries[1:]]
            for entry, after in zip_longest(entries, follows):
                if entry[:KEY_BYTES] != after:
                    keys += entry[:KEY_BYTES]
                    table.numbers.append(int.from_bytes(entry[KEY_BYTES:], "big"))
            entries.clear()
        table.keys = bytes(keys)
        table.allowed = frozenset(self._allowed)
        table.hash_codes = tuple(sorted(self._hash_codes))
        return table
