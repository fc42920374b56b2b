"""Strict checks of the request line: the parser skips blanks and accepts other versions.

RFC 9112, 3: method, one blank, target, one blank, version. Requests are smuggled where two programs
in a row read a line differently.
"""

from typing import Final

HTTP_11: Final = b" HTTP/1.1"
VERSIONS: Final = frozenset((HTTP_11, b" HTTP/1.0"))
MAX_BLANK_BYTES: Final = 256  # limit of all of a line but its target


def is_complete(start: bytes) -> bool:
    """Return whether the first bytes of a head contain its whole request line."""
    return b"\r\n" in start.lstrip(b"\r\n")


def version_of(start: bytes, method: bytes, target: bytes) -> bytes:
    """Return the blank and the version that follow the target.

    Args:
        start: the first bytes of a head, with the whole request line; empty lines before it are
            skipped (RFC 9112, 2.2).
        method: as the parser has read it.
        target: as the parser has read it.

    Returns:
        One of `VERSIONS`; other bytes when the line has an extra blank, no version or another one.
    """
    at = len(method) + len(target) + 1
    version = start[at : at + len(HTTP_11)]
    if version in VERSIONS:
        return version
    return start.lstrip(b"\r\n")[at : at + len(HTTP_11)]
