"""The `_redirects` file of a website.

https://specs.ipfs.tech/http-gateways/web-redirects-file/. It is looked at only on a host that is
one website's own, and only for paths that do not exist.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from gateway.content.path import escape_segment
from gateway.errors import BadRedirects

FILE_NAME: Final = "_redirects"
MAX_FILE_BYTES: Final = 64 * 1024  # the specification, "Max File Size"

REWRITE: Final = 200
PAGES: Final = frozenset({404, 410, 451})
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_DEFAULT_STATUS: Final = 301
_STATUSES: Final = REDIRECTS | PAGES | {REWRITE}

_SPLAT: Final = "splat"
_STATUS: Final = re.compile(r"([0-9]{1,4})(!?)")
_PLACEHOLDER: Final = re.compile(r":([A-Za-z_][A-Za-z0-9_-]*)")
_URL: Final = re.compile(r"(?:https?|ipfs|ipns)://[^/?#]+", re.IGNORECASE)


class Rule(NamedTuple):
    """One line of the file."""

    segments: tuple[str, ...]
    """What a path has to be made of; `:name` stands for any one segment."""
    has_splat: bool
    """Whether anything may follow them."""
    to: str
    status: int


class Match(NamedTuple):
    """What a rule makes of a path."""

    to: str
    """A path or, of a redirect, an URL, with what was found put in percent-encoded."""
    status: int


@lru_cache(maxsize=64)
def parse_redirects(data: bytes) -> tuple[Rule, ...]:
    """Parse the file.

    Raises:
        BadRedirects: larger than `MAX_FILE_BYTES`, or a line that is not a rule.
    """
    if len(data) > MAX_FILE_BYTES:
        raise BadRedirects(f"redirects file size cannot exceed {MAX_FILE_BYTES} bytes")
    try:
        lines = data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise BadRedirects("it is not UTF-8") from None
    rules: list[Rule] = []
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if fields and not fields[0].startswith("#"):
            try:
                rules.append(_parse_rule(fields))
            except ValueError as exc:
                raise BadRedirects(f"line {number}: {exc}") from None
    return tuple(rules)


def _parse_rule(fields: Sequence[str]) -> Rule:
    if not 2 <= len(fields) <= 3:
        raise ValueError("it has to be `from to [status]`")
    start, to = fields[0], fields[1]
    status = _parse_status(fields[2]) if len(fields) == 3 else _DEFAULT_STATUS
    if not to.startswith("/") and (status not in REDIRECTS or not _URL.match(to)):
        raise ValueError(f"{to[:100]!r} is not a place that status {status} can lead to")
    if not start.startswith("/"):
        raise ValueError(f"{start[:100]!r} does not start with a slash")
    *segments, last = start.split("/")[1:]
    has_splat = last == "*"
    if not has_splat:
        segments.append(last)
    if "*" in "".join(segments):
        raise ValueError("an asterisk can only be the last segment")
    names = [segment for segment in segments if segment.startswith(":")]
    if len(set(names)) != len(names):
        raise ValueError("a placeholder stands in it twice")
    return Rule(tuple(filter(None, segments)), has_splat, to, status)


def _parse_status(text: str) -> int:
    match = _STATUS.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:20]!r} is not a status")
    if match[2]:
        raise ValueError('forced redirects (or "shadowing") are not supported')
    status = int(match[1])
    if status not in _STATUSES:
        raise ValueError(f"status code {status} is not supported")
    return status


def find_match(rules: Sequence[Rule], segments: Sequence[str]) -> Match | None:
    """Return what the first rule for a path makes of it; takes time linear in rules and path."""
    for rule in rules:
        found = _match(rule, segments)
        if found is not None:
            return Match(_expand(rule.to, found), rule.status)
    return None


def _match(rule: Rule, segments: Sequence[str]) -> dict[str, str] | None:
    size = len(rule.segments)
    if size > len(segments) or (size < len(segments) and not rule.has_splat):
        return None
    found: dict[str, str] = {}
    for wanted, segment in zip(rule.segments, segments, strict=False):
        if wanted.startswith(":"):
            found[wanted[1:]] = escape_segment(segment)
        elif wanted != segment:
            return None
    if rule.has_splat:
        found[_SPLAT] = "/".join(map(escape_segment, segments[size:]))
    return found


def _expand(to: str, found: dict[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda match: found.get(match[1], match[0]), to)


def with_query(to: str, query: str) -> str:
    """Add the query of a request to the place that it is sent to; it wins over the one there."""
    if not query:
        return to
    to, mark, fragment = to.partition("#")
    path, _, own = to.partition("?")
    asked = {pair.partition("=")[0] for pair in query.split("&")}
    kept = [pair for pair in own.split("&") if pair and pair.partition("=")[0] not in asked]
    return f"{path}?{'&'.join([*kept, query])}{mark}{fragment}"
