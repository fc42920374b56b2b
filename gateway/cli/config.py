"""`check-config`: validate a configuration and print the resulting settings."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.table import Table

from gateway.cli.settings_file import load_settings, warnings_about
from gateway.cli.terminal import examples, output, say, tell, told_errors
from gateway.guard.denylist import check_lists
from gateway.settings import Settings, format_settings

_HIDDEN = "(set)"
_SECRETS = frozenset({"admin.token", "cluster.password"})


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "check-config",
        epilog=examples(
            "ipfs-gateway check-config gateway.toml",
            "GATEWAY_CACHE__DISK_SIZE=1TiB ipfs-gateway check-config gateway.toml",
        ),
    )(check_config)


def check_config(
    file: Annotated[Path, typer.Argument(help="A TOML file; config/gateway.toml has every key.")],
) -> None:
    """Check a configuration file; print the settings that it and the environment result in."""
    with told_errors():
        settings = load_settings(file, os.environ)
        is_strict = settings.denylist.incomplete == "refuse"
        lists = check_lists(settings.denylist.files, is_strict=is_strict)
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("setting")
    table.add_column("value", overflow="fold")
    table.add_column("")
    for key, value, is_default in describe_settings(settings):
        table.add_row(
            key, value, "default" if is_default else "", style="dim" if is_default else ""
        )
    output().print(table)
    for listed in lists:
        for line in listed.skipped:
            tell(f"warning: {listed.name}, line {line}")
        if listed.incomplete:
            tell(f"warning: {listed.name} {listed.incomplete}")
        say(f"{listed.name}: {listed.rules} rules, {listed.skipped_count} lines left out")
    for warning in warnings_about(file, settings):
        tell(f"warning: {warning}")
    say(f"{file}: ok")


def describe_settings(settings: Settings) -> Iterator[tuple[str, str, bool]]:
    """Yield key, value as TOML and whether it is the default; secrets are not shown."""
    defaults = dict(_flatten("", format_settings(Settings())))
    for key, value in _flatten("", format_settings(settings)):
        is_hidden = (key in _SECRETS and value != "") or (key == "shared.redis" and "@" in value)
        text = _HIDDEN if is_hidden else orjson.dumps(value).decode("utf-8")
        yield key, text, value == defaults.get(key)


def _flatten(where: str, tree: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(tree, dict) and (tree or not where):
        for key, value in tree.items():
            yield from _flatten(f"{where}.{key}" if where else key, value)
    elif isinstance(tree, list) and tree and isinstance(tree[0], dict):
        for index, value in enumerate(tree):
            yield from _flatten(f"{where}[{index}]", value)
    else:
        yield where, tree
