"""The templates, the style sheet and the content security policy of the gateway's own pages.

Pages have no scripts and load nothing from other hosts. The style sheet is in the page, and the
policy allows it by its hash, so that markup injected through a name could still run nothing.
"""

import base64
import hashlib
from importlib import resources
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gateway.protocol.headers import Header, Headers

_TEMPLATES: Final = resources.files("gateway.web") / "templates"
_STYLE: Final = (_TEMPLATES / "style.css").read_text("utf-8").strip()
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode("ascii")

CONTENT_POLICY: Final[Header] = (
    b"content-security-policy",
    (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ).encode("ascii"),
)
_FEATURES: Final = (
    "accelerometer",
    "camera",
    "display-capture",
    "fullscreen",
    "geolocation",
    "gyroscope",
    "magnetometer",
    "microphone",
    "payment",
    "usb",
)
PAGE_FIELDS: Final[Headers] = (
    CONTENT_POLICY,
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", ", ".join(f"{name}=()" for name in _FEATURES).encode("ascii")),
)
"""Header fields of the gateway's own pages only: users' content sets its own policies."""


def _create_environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("gateway.web", "templates"),
        autoescape=True,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.globals["style"] = Markup(_STYLE)  # noqa: S704 (a file of this package)
    return environment


TEMPLATES: Final = _create_environment()


def hash_templates(*names: str) -> str:
    """Return a short hash that changes with the named templates, the style and `PAGE_FIELDS`.

    As a part of an ETag it makes caches renew pages whose template or fields have changed.
    """
    digest = hashlib.blake2b(repr(PAGE_FIELDS).encode(), digest_size=8)
    for name in ("style.css", *names):
        digest.update((_TEMPLATES / name).read_bytes())
    return digest.hexdigest()
