"""The example file and the page about settings say what the code does."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.settings import (
    HostSettings,
    Settings,
    UpstreamSettings,
    format_settings,
    parse_settings,
)

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "config" / "gateway.toml").read_text(encoding="utf-8")
PAGE = (ROOT / "config" / "README.md").read_text(encoding="utf-8")

REQUIRED = {"upstreams.name", "upstreams.url"}
COMPLETE = Settings(
    hosts={"example.com": HostSettings()},
    upstreams=(
        UpstreamSettings(
            name="stockholm-1",
            url="http://10.0.0.1:8080",
            tier="cluster",
            country="SE",
            latitude=59.33,
            longitude=18.07,
            continent="EU",
        ),
    ),
)


def every_setting() -> Iterator[tuple[str, Any]]:
    """Yield each setting as `section.key` with its default; None for none."""
    tree = format_settings(Settings())
    for section in tree.keys() - {"hosts", "upstreams"}:
        for key, value in tree[section].items():
            yield f"{section}.{key}", value
    for key, value in format_settings(COMPLETE)["hosts"]["example.com"].items():
        yield f"hosts.{key}", value
    for key in format_settings(COMPLETE)["upstreams"][0]:
        yield (
            f"upstreams.{key}",
            {
                "tier": "public",
                "concurrency": 256,
                "peer": "",
                "requests": "",
                "daily_requests": 0,
            }.get(key),
        )


SETTINGS = sorted(every_setting())


def test_the_example_parses_to_the_defaults() -> None:
    assert parse_settings(tomllib.loads(EXAMPLE)) == Settings()


def test_the_example_with_its_comments_removed_has_every_setting() -> None:
    table = re.compile(r"# (\[.+\]|[a-z_]+ = .+)")
    lines = [table.sub(r"\1", line) for line in EXAMPLE.splitlines()]

    tree = tomllib.loads("\n".join(lines))

    assert parse_settings(tree) == COMPLETE
    assert [(name, set(tree[name])) for name in sorted(tree) if isinstance(tree[name], dict)] == [
        (name, set(table))
        for name, table in sorted(format_settings(COMPLETE).items())
        if isinstance(table, dict)
    ]


@pytest.mark.parametrize("line", [line for line in EXAMPLE.splitlines() if " = " in line])
def test_each_setting_of_the_example_fits_on_a_line(line: str) -> None:
    assert len(line) <= 100


@pytest.mark.parametrize(("key", "default"), SETTINGS, ids=[key for key, _ in SETTINGS])
def test_each_setting_is_on_the_page_with_its_default(key: str, default: object) -> None:
    if key in REQUIRED:
        shown = "required"
    else:
        shown = "none" if default is None else f"`{json.dumps(default)}`"

    assert f"| `{key}` | {shown} | " in PAGE


def test_the_page_names_no_setting_that_does_not_exist() -> None:
    named = set(re.findall(r"^\| `([a-z_.]+)` \|", PAGE, re.MULTILINE))

    assert named <= {key for key, _ in SETTINGS}
