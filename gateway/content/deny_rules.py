"""Parses the rules of denylists in the compact format.

https://specs.ipfs.tech/compact-denylist-format/ (IPIP-383). A rule is matched by keys, which are
short hashes: `exact_key`, `double_key` and `legacy_key` make the keys of a requested path in the
same way, so that a list of a million rules takes a million short hashes.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_to_bytes

import yaml  # type: ignore[import-untyped]  # its stubs are a package of their own

from gateway.content.cid import Cid, parse_cid
from gateway.content.entry_name import decode_name, encode_name, show_bytes
from gateway.content.multibase import decode_base58, encode_base32, encode_base58
from gateway.content.multihash import HASHES, decode_multihash, encode_multihash
from gateway.content.names import Name, parse_name
from gateway.errors import BadCid

MAX_HEADER_BYTES: Final = 1024 * 1024  # IPIP-383
MAX_LINE_BYTES: Final = 2 * 1024 * 1024  # likewise
MAX_REASON_CHARACTERS: Final = 200
KEY_BYTES: Final = 16
VERSION: Final = 1

GONE: Final = 410
LEGAL: Final = 451
"""Statuses of the hint `gateway_status`; path-gateway.md has no others for blocked content."""

_SEPARATOR: Final = re.compile(rb"^---[ \t]*\r?$", re.MULTILINE)
_SHA256_HEX: Final = re.compile(r"[0-9a-fA-F]{64}")

Hints = Mapping[str, str]


class BadDenylist(Exception):
    """A malformed list, or a malformed line of one; the message says why."""


class Rule(NamedTuple):
    """One line of a list."""

    keys: tuple[bytes, ...]
    """Keys that match exactly; empty for a prefix. Several when the text is ambiguous."""
    subject: bytes = b""
    """The root or name of a prefix rule."""
    prefix: str = ""
    """The prefix of paths; empty for all paths, also the empty one."""
    is_allowed: bool = False
    """Whether the rule allows what earlier rules block."""
    status: int = GONE
    reason: str = ""
    """The list's reason, for clients and operators."""
    hash_code: int | None = None
    """Multicodec code of the hash function of a double hash."""
    is_legacy: bool = False
    """Whether the rule may be an anchor of the old badbits list."""


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a list."""

    name: str = ""
    hints: Hints | None = None
    size_bytes: int = 0
    """Size of the header, with its last line."""


def subject_of(name: Name, *, is_root: bool) -> bytes:
    """Return the canonical form of a root or a name, for all its spellings."""
    if isinstance(name, str):
        return b"name/" + name.encode("utf-8")
    return (b"root/" if is_root else b"key/") + name.multihash


def exact_key(subject: bytes, path: str) -> bytes:
    """Return the key of a path below a subject; `path` has no leading or trailing slash."""
    return _short(b"exact/" + subject + b"/" + encode_name(path))


def double_key(name: Name, path: str, hash_code: int) -> bytes:
    """Return the key of a double-hash rule for this path (IPIP-383)."""
    root = f"/ipns/{name}" if isinstance(name, str) else encode_base58(name.multihash)
    text = f"{root}/{path}" if path else root
    digest = HASHES[hash_code].digest(encode_name(text))
    return _short(b"double/" + encode_multihash(hash_code, digest))


def legacy_key(name: Name, path: str) -> bytes:
    """Return the key of an old badbits anchor for this path."""
    root = name if isinstance(name, str) else "b" + encode_base32(name.as_v1().encode())
    digest = hashlib.sha256(encode_name(f"{root}/{path}")).digest()
    return _short(b"legacy/" + digest)


def read_header(data: bytes) -> Header:
    """Parse the optional header of a list.

    Raises:
        BadDenylist: the header is malformed, or of an unknown version.
    """
    found = _SEPARATOR.search(data, 0, MAX_HEADER_BYTES)
    if found is None:
        return Header()
    size_bytes = min(found.end() + 1, len(data))
    try:
        fields: Any = yaml.safe_load(data[: found.start()])
    except (yaml.YAMLError, RecursionError, ValueError) as exc:
        raise BadDenylist("its header is not valid YAML") from exc
    if fields is None:
        return Header(size_bytes=size_bytes)
    if not isinstance(fields, dict):
        raise BadDenylist("its header is not a YAML map")
    if fields.get("version", VERSION) != VERSION:  # not quoted: an alias may be gigabytes of text
        raise BadDenylist(f"its header is not of version {VERSION} of the format")
    hints = fields.get("hints") or {}
    if not isinstance(hints, dict):
        raise BadDenylist("the hints of its header are not a YAML map")
    # Scalars only: aliases expand values of a few bytes to gigabytes.
    texts = {
        key: str(value)
        for key, value in hints.items()
        if isinstance(key, str) and isinstance(value, str | int | float)
    }
    name = fields.get("name")
    return Header(name if isinstance(name, str) else "", texts, size_bytes)


def parse_rule(line: str, hints: Hints | None = None) -> Rule | None:
    """Parse one line; None for an empty line or a comment.

    Args:
        line: the line without its end.
        hints: hints of the header; those of the line take precedence.

    Raises:
        BadDenylist: the line is not a rule, or cannot be enforced here.
    """
    words = line.split()
    if not words or words[0].startswith("#"):
        return None
    item = words[0]
    is_allowed = item.startswith("!")
    if is_allowed:
        item = item[1:]
    rule = _parse_item(item)
    if len(words) == 1 and not hints and not is_allowed:
        return rule
    told = {**(hints or {}), **_read_hints(words[1:])}
    return rule._replace(
        is_allowed=is_allowed,
        status=LEGAL if told.get("gateway_status") == str(LEGAL) else GONE,
        reason=show_bytes(_unquote(told.get("reason", "")))[:MAX_REASON_CHARACTERS],
    )


def _parse_item(item: str) -> Rule:
    if item.startswith("//"):
        return _parse_double(item[2:])
    parts = item.split("/", 3)
    if len(parts) < 3 or parts[0] or parts[1] not in ("ipfs", "ipns") or not parts[2]:
        raise BadDenylist("a rule is /ipfs/{cid}, /ipns/{name} or //{double hash}")
    is_root = parts[1] == "ipfs"
    subject = subject_of(_parse_name(parts[2], is_root=is_root), is_root=is_root)
    path = parts[3] if len(parts) == 4 else ""
    is_prefix = path.endswith("*")
    path = _clean(path[:-1] if is_prefix else path)
    if is_prefix:
        return Rule((), subject, path)
    return Rule((exact_key(subject, path),))


def _parse_name(text: str, *, is_root: bool) -> Name:
    try:
        return _parse_root(text) if is_root else parse_name(text)
    except BadCid as exc:
        raise BadDenylist(str(exc)) from exc


def _parse_root(text: str) -> Cid:
    """Parse a CID, or a bare multihash in base58."""
    try:
        return parse_cid(text)
    except BadCid:
        multihash = _decode_bare(text)
        if multihash is None:
            raise
        return Cid(1, 0, multihash)


def _decode_bare(text: str) -> bytes | None:
    try:
        data = decode_base58(text)
        _, _, end = decode_multihash(data)
    except BadCid:
        return None
    return data if end == len(data) else None


def _parse_double(text: str) -> Rule:
    """Parse a double hash; text that fits both kinds counts as both, as IPIP-383 demands."""
    keys: list[bytes] = []
    hash_code: int | None = None
    is_legacy = _SHA256_HEX.fullmatch(text) is not None
    if is_legacy:
        keys.append(_short(b"legacy/" + bytes.fromhex(text)))
    multihash = _decode_bare(text)
    if multihash is not None:
        code = decode_multihash(multihash)[0]
        if code in HASHES:
            hash_code = code
            keys.append(_short(b"double/" + multihash))
    if not keys:
        raise BadDenylist("a double hash is a base58 multihash, or a sha2-256 digest in hex")
    return Rule(tuple(keys), hash_code=hash_code, is_legacy=is_legacy)


def _read_hints(words: list[str]) -> dict[str, str]:
    return {key: value for key, _, value in (word.partition(":") for word in words)}


def _clean(path: str) -> str:
    return "/".join(part for part in _unquote(path).split("/") if part)


def _unquote(text: str) -> str:
    return decode_name(unquote_to_bytes(text))


def _short(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=KEY_BYTES).digest()
