"""Content-Disposition, the file name of a download: RFC 6266 and RFC 8187 (once RFC 5987)."""

import re
from typing import Final
from urllib.parse import quote

from gateway.content.entry_name import show_bytes

MAX_FILENAME_CHARACTERS: Final = 255  # the limit of common file systems

_ATTR_CHARACTERS: Final = "!#$&+-.^_`|~"  # RFC 8187, 3.2.1: beside letters and digits
# C0 and C1 controls and line separators (header injection), and the marks that change the
# direction of text, which can make "txt.exe" look like "exe.txt".
_FORBIDDEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
# RFC 6266, appendix D: backslashes and percent escapes in the plain parameter are read
# differently by different clients; a file name cannot contain a slash.
_NOT_PLAIN: Final = re.compile(r'[^ -~]|["\\/%]')


def clean_filename(text: str) -> str | None:
    """Return a requested file name without harmful characters; None when nothing is left."""
    name = _FORBIDDEN.sub("", text).replace("/", "_").replace("\\", "_").strip()
    return name[:MAX_FILENAME_CHARACTERS] or None


def content_disposition(name: str, *, is_attachment: bool) -> bytes:
    """Return the field's value for a file name, in both the plain and the encoded form.

    Bytes that are not UTF-8 are escaped twice, since the field cannot hold them otherwise.
    """
    name = show_bytes(name)
    kind = "attachment" if is_attachment else "inline"
    encoded = quote(name, safe=_ATTR_CHARACTERS)
    return f"{kind}; filename=\"{_NOT_PLAIN.sub('_', name)}\"; filename*=UTF-8''{encoded}".encode()
