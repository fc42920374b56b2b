"""Content-Disposition: the name a download gets. RFC 6266 and RFC 8187 (once RFC 5987)."""

import re
from typing import Final
from urllib.parse import quote

from gateway.content.entry_name import show_bytes

MAX_FILENAME_CHARACTERS: Final = 255  # what common file systems take

_ATTR_CHARACTERS: Final = "!#$&+-.^_`|~"  # RFC 8187, 3.2.1: beside letters and digits
# C0 and C1 controls and line separators (header injection), and the marks that change the
# direction of text, with which "exe.txt" can be made of "txt.exe".
_FORBIDDEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
# RFC 6266, appendix D: backslashes and percent escapes in the plain parameter are read
# differently by different clients; a slash is nothing a name may have.
_NOT_PLAIN: Final = re.compile(r'[^ -~]|["\\/%]')


def clean_filename(text: str) -> str | None:
    """Return the file name that a client asked for, made harmless; None when nothing is left."""
    name = _FORBIDDEN.sub("", text).replace("/", "_").replace("\\", "_").strip()
    return name[:MAX_FILENAME_CHARACTERS] or None


def content_disposition(name: str, *, is_attachment: bool) -> bytes:
    """Return the field's value for a file name, in both the plain and the encoded form.

    Bytes that are no UTF-8 are escaped once more: the field has no other way for them.
    """
    name = show_bytes(name)
    kind = "attachment" if is_attachment else "inline"
    encoded = quote(name, safe=_ATTR_CHARACTERS)
    return f"{kind}; filename=\"{_NOT_PLAIN.sub('_', name)}\"; filename*=UTF-8''{encoded}".encode()
