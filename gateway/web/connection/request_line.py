"""The request line, checked to the byte: the parser skips blanks and takes other versions.

RFC 9112, 3: method, one blank, target, one blank, version. What is read otherwise by two programs
in a row is how requests are smuggled.
"""

from typing import Final

HTTP_11: Final = b" HTTP/1.1"
VERSIONS: Final = frozenset((HTTP_11, b" HTTP/1.0"))
MAX_BLANK_BYTES: Final = 256  # what a line may have beside its target


def is_complete(start: bytes) -> bool:
    """Tell whether the first bytes of a head have all of its request line."""
    return b"\r\n" in start.lstrip(b"\r\n")


def version_of(start: bytes, method: bytes, target: bytes) -> bytes:
    """Return the blank and the version that follow the target, where they must stand.

    Args:
        start: the first bytes of a head, all of its request line among them; empty lines before
            it are skipped, as RFC 9112, 2.2 has it.
        method: as the parser has read it.
        target: likewise.

    Returns:
        One of `VERSIONS`; anything else when there is a blank too many, no version or another one.
    """
    at = len(method) + len(target) + 1
    version = start[at : at + len(HTTP_11)]
    if version in VERSIONS:
        return version
    return start.lstrip(b"\r\n")[at : at + len(HTTP_11)]
