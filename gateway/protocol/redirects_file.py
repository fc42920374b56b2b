"""The `_redirects` file of a website.

https://specs.ipfs.tech/http-gateways/web-redirects-file/. It applies only on hosts of one website
(subdomains and DNSLink), and only to paths that do not exist.
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
MAX_TARGET_BYTES: Final = MAX_PATH_BYTES  # of an expanded rule: no request may have a longer path
MAX_MEMO_BYTES: Final = 16 * 1024 * 1024  # of the rules of all websites: three of the largest files
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
_SAFE_IN_QUERY: Final = "/:@!$'(),"  # without separators of parameters and the plus sign
_SAFE_IN_FRAGMENT: Final = _SAFE_IN_QUERY + "?&=+;"
_NO_CONTROL: Final = r"[^\x00-\x1f\x7f]*"
_PATH: Final = re.compile(rf"/{_NO_CONTROL}")
_PATH_OF_HOST: Final = re.compile(rf"/(?![/\\]){_NO_CONTROL}")
_URL: Final = re.compile(r"(?:https?|ipfs|ipns)://[^/?#\x00-\x1f\x7f]+", re.IGNORECASE)
_WHOLE_URL: Final = re.compile(_URL.pattern + _NO_CONTROL, re.IGNORECASE)


class Rule(NamedTuple):
    """One line of the file."""

    segments: tuple[str, ...]
    """Segments that a path must start with; `:name` stands for any one segment."""
    has_splat: bool
    """Whether any further segments may follow."""
    to: str
    status: int


class Match(NamedTuple):
    """The expansion of a rule for one path."""

    to: str
    """A path or, for a redirect, a URL; the placeholders' values are inserted percent-encoded."""
    status: int


_memo: Memo[bytes, tuple[Rule, ...]] = Memo(MAX_MEMO_BYTES)


def parse_redirects(data: bytes) -> tuple[Rule, ...]:
    """Return the rules of a file; the result is memoized.

    Raises:
        BadRedirects: the file is larger than `MAX_FILE_BYTES`, or a line is not a rule.
    """
    rules = _memo.find(data)
    if rules is None:
        rules = _parse(data)
        _memo.keep(data, rules, len(data) + sum(map(_weigh, rules)))
    return rules


def _weigh(rule: Rule) -> int:
    """Return the approximate memory of a rule, in bytes."""
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
        raise ValueError("a rule is `from to [status]`")
    start, to = fields[0], fields[1]
    status = _parse_status(fields[2]) if len(fields) == 3 else _DEFAULT_STATUS
    if not _is_place(to, status):
        raise ValueError(f"{to[:100]!r} is not a valid target for status {status}")
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
            raise ValueError("a placeholder occurs twice")
    return Rule(segments, has_splat, to, status)


def _is_place(to: str, status: int) -> bool:
    r"""Return whether a target is valid: a path of the same host or, for a redirect, a URL.

    Browsers read `//host` and `/\host` as other hosts, and drop some control characters.
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
    """Return the expansion of the first rule that matches a path, in time linear in both.

    Raises:
        BadRedirects: the expansion is longer than `MAX_TARGET_BYTES`.
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
    """Insert the values of the placeholders into the target of a rule."""
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
    # After an empty splat at the start the rest must not become a host.
    return "/" + url.lstrip("/") if rule.to.startswith("/") else url


def _check_size(size: int) -> None:
    if size > MAX_TARGET_BYTES:
        raise BadRedirects(f"a rule expands this path to more than {MAX_TARGET_BYTES} bytes")


class _Found:
    """The values of a rule's placeholders in a path; each is escaped when it is used."""

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
        """Return the value of a placeholder, escaped for its index in `Rule.to`.

        None when the rule has no placeholder of that name.
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
        """Return the characters that need no escape at an index; None for those of a path."""
        if index < self._host_end:
            return ""
        if index > self._fragment:
            return _SAFE_IN_FRAGMENT
        return _SAFE_IN_QUERY if index > self._query else None


def with_query(to: str, query: str) -> str:
    """Return a redirect target with the query of the request, whose parameters take precedence."""
    if not query:
        return to
    to, mark, fragment = to.partition("#")
    path, _, own = to.partition("?")
    asked = {pair.partition("=")[0] for pair in query.split("&")}
    kept = [pair for pair in own.split("&") if pair and pair.partition("=")[0] not in asked]
    return f"{path}?{'&'.join([*kept, query])}{mark}{fragment}"
