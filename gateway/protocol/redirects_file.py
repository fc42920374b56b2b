"""The `_redirects` file of a website.

https://specs.ipfs.tech/http-gateways/web-redirects-file/. It is looked at only on a host that is
one website's own, and only for paths that do not exist.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from gateway.content.entry_name import quote_name
from gateway.content.memo import Memo
from gateway.content.path import MAX_PATH_BYTES, escape_segment
from gateway.errors import BadRedirects
from gateway.protocol.headers import finished_text

FILE_NAME: Final = "_redirects"
MAX_FILE_BYTES: Final = 64 * 1024  # the specification, "Max File Size"
MAX_TARGET_BYTES: Final = MAX_PATH_BYTES  # what a rule makes of a path: nobody could ask for more
MAX_MEMO_BYTES: Final = 16 * 1024 * 1024  # of rules of all websites, three files of the worst kind
_RULE_BYTES: Final = 192  # a tuple, a tuple of segments, a text and their slots
_SEGMENT_BYTES: Final = 64  # a text and its slot

REWRITE: Final = 200
PAGES: Final = frozenset({404, 410, 451})
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_DEFAULT_STATUS: Final = 301
_STATUSES: Final = REDIRECTS | PAGES | {REWRITE}

_SPLAT: Final = "splat"
_STATUS: Final = re.compile(r"([0-9]{1,4})(!?)")
_PLACEHOLDER: Final = re.compile(r":([A-Za-z_][A-Za-z0-9_-]*)")
_SAFE_IN_QUERY: Final = "/:@!$'(),"  # what separates parameters, or means a space, is none of it
_SAFE_IN_FRAGMENT: Final = _SAFE_IN_QUERY + "?&=+;"
_NO_CONTROL: Final = r"[^\x00-\x1f\x7f]*"
_PATH: Final = re.compile(rf"/{_NO_CONTROL}")
_PATH_OF_HOST: Final = re.compile(rf"/(?![/\\]){_NO_CONTROL}")
_URL: Final = re.compile(r"(?:https?|ipfs|ipns)://[^/?#\x00-\x1f\x7f]+", re.IGNORECASE)
_WHOLE_URL: Final = re.compile(_URL.pattern + _NO_CONTROL, re.IGNORECASE)


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


_memo: Memo[bytes, tuple[Rule, ...]] = Memo(MAX_MEMO_BYTES)


def parse_redirects(data: bytes) -> tuple[Rule, ...]:
    """Parse the file; its rules are kept for the next call.

    Raises:
        BadRedirects: larger than `MAX_FILE_BYTES`, or a line that is not a rule.
    """
    rules = _memo.find(data)
    if rules is None:
        rules = _parse(data)
        _memo.keep(data, rules, len(data) + sum(map(_weigh, rules)))
    return rules


def _weigh(rule: Rule) -> int:
    """Return about what a rule takes in memory, in bytes."""
    return _RULE_BYTES + _SEGMENT_BYTES * len(rule.segments) + len(rule.to)


def _parse(data: bytes) -> tuple[Rule, ...]:
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
    if not _is_place(to, status):
        raise ValueError(f"{to[:100]!r} is not a place that status {status} can lead to")
    if not start.startswith("/"):
        raise ValueError(f"{start[:100]!r} does not start with a slash")
    has_splat = start.endswith("/*")
    start = start[:-1] if has_splat else start
    if "*" in start:
        raise ValueError("an asterisk can only be the last segment")
    segments = tuple([segment for segment in start.split("/") if segment])
    if ":" in start:
        names = [segment for segment in segments if segment.startswith(":")]
        if len(set(names)) != len(names):
            raise ValueError("a placeholder stands in it twice")
    return Rule(segments, has_splat, to, status)


def _is_place(to: str, status: int) -> bool:
    r"""Tell whether a rule may lead there: to a path of the same host, a redirect also to an URL.

    To browsers `//host` and `/\host` are other hosts, and they drop some control characters.
    """
    if status not in REDIRECTS:
        return _PATH.fullmatch(to) is not None
    return _PATH_OF_HOST.fullmatch(to) is not None or _WHOLE_URL.fullmatch(to) is not None


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
    """Return what the first rule for a path makes of it; takes time linear in rules and path.

    Raises:
        BadRedirects: it makes more of it than `MAX_TARGET_BYTES`.
    """
    for rule in rules:
        if _matches(rule, segments):
            return Match(_expand(rule, segments), rule.status)
    return None


def _matches(rule: Rule, segments: Sequence[str]) -> bool:
    size = len(rule.segments)
    if size > len(segments) or (size < len(segments) and not rule.has_splat):
        return False
    for wanted, segment in zip(rule.segments, segments, strict=False):
        if wanted != segment and not wanted.startswith(":"):
            return False
    return True


def _expand(rule: Rule, segments: Sequence[str]) -> str:
    """Put what was found into the place that a rule leads to."""
    found = _Found(rule, segments)
    made: list[str] = []
    size = end = 0
    for match in _PLACEHOLDER.finditer(rule.to):
        text = found.escape(match[1], match.start())
        if text is not None:
            made += (finished_text(rule.to[end : match.start()]), text)
            size += len(made[-2]) + len(text)
            end = match.end()
            _check_size(size)
    made.append(finished_text(rule.to[end:]))
    _check_size(size + len(made[-1]))
    url = "".join(made)
    # After a splat of nothing in front, what follows must not become a host.
    return "/" + url.lstrip("/") if rule.to.startswith("/") else url


def _check_size(size: int) -> None:
    if size > MAX_TARGET_BYTES:
        raise BadRedirects(f"a rule makes more than {MAX_TARGET_BYTES} bytes of this path")


class _Found:
    """What stands in a path where a rule has placeholders; escaped when it is asked for."""

    def __init__(self, rule: Rule, segments: Sequence[str]) -> None:
        self._values = {
            wanted[1:]: segments[index : index + 1]
            for index, wanted in enumerate(rule.segments)
            if wanted.startswith(":")
        }
        if rule.has_splat:
            self._values[_SPLAT] = segments[len(rule.segments) :]
        url = _URL.match(rule.to)
        self._host_end = url.end() if url else 0
        self._fragment = rule.to.find("#") % (len(rule.to) + 1)
        self._query = rule.to.find("?", 0, self._fragment) % (len(rule.to) + 1)
        self._escaped: dict[tuple[str, str | None], str] = {}

    def escape(self, name: str, index: int) -> str | None:
        """Return what was found for a placeholder, as it is written at an index of `Rule.to`.

        None when nothing has that name.
        """
        if name not in self._values:
            return None
        safe = self._safe(index)
        text = self._escaped.get((name, safe))
        if text is None:
            parts = self._values[name]
            escaped = (
                map(escape_segment, parts) if safe is None else [quote_name(p, safe) for p in parts]
            )
            text = self._escaped[name, safe] = "/".join(escaped)
        return text

    def _safe(self, index: int) -> str | None:
        """Return which characters mean nothing there; None for those of a path."""
        if index < self._host_end:
            return ""
        if index > self._fragment:
            return _SAFE_IN_FRAGMENT
        return _SAFE_IN_QUERY if index > self._query else None


def with_query(to: str, query: str) -> str:
    """Add the query of a request to the place that it is sent to; it wins over the one there."""
    if not query:
        return to
    to, mark, fragment = to.partition("#")
    path, _, own = to.partition("?")
    asked = {pair.partition("=")[0] for pair in query.split("&")}
    kept = [pair for pair in own.split("&") if pair and pair.partition("=")[0] not in asked]
    return f"{path}?{'&'.join([*kept, query])}{mark}{fragment}"
