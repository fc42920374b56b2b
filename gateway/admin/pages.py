"""The page that greets an operator: main numbers, and where the others are."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway import __version__
from gateway.admin.api import cache_figures, upstream_rows
from gateway.ops.health import PARTS, judge
from gateway.ops.overview import Overview

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")

_templates = Environment(
    loader=PackageLoader("gateway.admin"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def format_bytes(size: float) -> str:
    """Return a size as people say it: `1.5 GiB`."""
    unit = 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size /= 1024
        unit += 1
    return f"{size:.0f} B" if unit == 0 else f"{size:.1f} {_UNITS[unit]}"


_templates.filters["bytes"] = format_bytes
_STYLE: Final = _templates.get_template("start.css").render()
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
START_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'"
)
"""Content-Security-Policy of the page: its own style and nothing else."""


def start_page(overview: Overview, endpoints: Mapping[str, str]) -> str:
    """Return the page as HTML.

    Args:
        overview: all workers as one.
        endpoints: what is at each path.
    """
    context: dict[str, Any] = {
        "version": __version__,
        "style": _STYLE,
        "whole": judge(overview),
        "parts": {name: part(overview) for name, part in PARTS.items()},
        "cache": cache_figures(overview),
        "in_flight": overview.statistics["requests"]["in_flight"],
        "upstreams": upstream_rows(overview),
        "workers": overview.workers,
        "endpoints": endpoints,
    }
    return _templates.get_template("start.html").render(context)
