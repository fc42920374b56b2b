"""A TOML file and the environment to `Settings`: https://toml.io/en/v1.0.0.

Every key can be set as `GATEWAY_SECTION__KEY`; the environment wins over the file.
"""

import json
import os
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.cache.disk.folder import why_foreign
from gateway.errors import BadSetting, BadSettings
from gateway.settings import (
    CacheSettings,
    Settings,
    Shape,
    nearest_key,
    parse_settings,
    shape_of,
)

PREFIX = "GATEWAY_"
MAX_FILE_BYTES = 1024 * 1024  # a configuration is a page; a mistaken path may be a disk

# Whole tables from one variable. Any other GATEWAY_X without "__" is not ours: Kubernetes sets
# GATEWAY_PORT and GATEWAY_SERVICE_HOST for a service that is called "gateway".
_WHOLE_TABLES = ("UPSTREAMS", "HOSTS")


def load_settings(file: Path | None, environment: Mapping[str, str]) -> Settings:
    """Read the configuration: defaults, then the file, then the environment.

    Args:
        file: a TOML file; None for none.
        environment: the variables of the process.

    Raises:
        BadSettings: the file cannot be read, or something in it or in the environment is wrong.
    """
    tree = {} if file is None else _read_file(file)
    _overlay(tree, environment)
    settings = _find_folders(parse_settings(tree), environment)
    problems = list(_missing_files(settings))
    if problems:
        raise BadSettings(problems)
    return settings


def warnings_about(file: Path | None, settings: Settings) -> Iterator[str]:
    """Yield what is allowed, but what an operator should know before it hurts."""
    if os.geteuid() == 0:
        yield "running as root: a user of its own is enough for the gateway"
    if file is not None and settings.admin.token and file.stat().st_mode & stat.S_IROTH:
        yield f"{file} holds admin.token and can be read by every user of this machine"
    directory = Path(settings.cache.directory)
    if directory.exists() and directory.stat().st_uid != os.geteuid():
        yield f"cache.directory {directory} belongs to another user"
    for index, upstream in enumerate(settings.upstreams):
        parts = urlsplit(upstream.url)
        host = parts.hostname or ""
        if host.rstrip(".").rpartition(".")[2] == "localhost":
            instead = f"{parts.scheme}://127.0.0.1" + (f":{parts.port}" if parts.port else "")
            yield (
                f"upstreams[{index}].url is {upstream.url}: Kubo is a subdomain gateway by the name"
                f" localhost, and sends requests for blocks elsewhere; write {instead}"
            )


def _read_file(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_FILE_BYTES + 1)
    except OSError as exc:
        raise _bad_file(file, (exc.strerror or str(exc)).lower()) from exc
    if len(data) > MAX_FILE_BYTES:
        raise _bad_file(file, f"is larger than {MAX_FILE_BYTES} bytes")
    try:
        return tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as exc:
        raise _bad_file(file, f"is not UTF-8 (byte {exc.start})") from None
    except (tomllib.TOMLDecodeError, RecursionError) as exc:
        raise _bad_file(file, f"is not TOML: {exc}") from None


def _bad_file(file: Path, reason: str) -> BadSettings:
    return BadSettings([BadSetting(str(file), reason)])


def _overlay(tree: dict[str, Any], environment: Mapping[str, str]) -> None:
    """Put what the environment sets into the tree of the file.

    Raises:
        BadSettings: naming each variable that sets nothing we know, or has no usable value.
    """
    problems: list[BadSetting] = []
    for variable, text in sorted(environment.items()):
        name = variable.removeprefix(PREFIX)
        if name == variable or ("__" not in name and name not in _WHOLE_TABLES):
            continue
        try:
            _set(tree, name, text)
        except ValueError as exc:
            problems.append(BadSetting(variable, str(exc)))
    if problems:
        raise BadSettings(problems)


def _set(tree: dict[str, Any], name: str, text: str) -> None:
    if name in _WHOLE_TABLES:
        tree[name.lower()] = _parse_literal(text)
        return
    section, _, key = name.lower().partition("__")
    shape = shape_of(section, key)
    if shape is None:
        raise ValueError(f"unknown setting `{section}.{key}`{nearest_key(key, ())}")
    table = tree.setdefault(section, {})
    if isinstance(table, dict):  # anything else is refused by its own name
        table[key] = _parse_value(shape, text)


def _parse_value(shape: Shape, text: str) -> Any:
    if shape is Shape.TEXT:
        return text
    if shape is Shape.TEXTS and not text.lstrip().startswith("["):
        return [item.strip() for item in text.split(",") if item.strip()]
    return _parse_literal(text)


def _parse_literal(text: str) -> Any:
    """Read a JSON or TOML value.

    Raises:
        ValueError: it is neither.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        # The line break ends a comment, and a second line would be a second key.
        tree = tomllib.loads(f"value = {text}\n")
    except (tomllib.TOMLDecodeError, RecursionError):
        tree = {}
    if tree.keys() != {"value"}:
        raise ValueError("is neither a TOML nor a JSON value")
    return tree["value"]


def _find_folders(settings: Settings, environment: Mapping[str, str]) -> Settings:
    cache = settings.cache
    directory = cache.directory
    xdg = environment.get("XDG_CACHE_HOME", "")
    # The XDG specification: a path that is not absolute is to be ignored.
    if directory == CacheSettings().directory and xdg.startswith("/"):
        directory = f"{xdg}/ipfs-gateway"
    tag_key = cache.tag_key
    xdg = environment.get("XDG_STATE_HOME", "")
    if tag_key == CacheSettings().tag_key and xdg.startswith("/"):
        tag_key = f"{xdg}/ipfs-gateway/tag.key"
    database = settings.geoip.database
    home = environment.get("HOME", "")
    is_tagged = cache.disk_size > 0 and cache.read_verification == "tag"
    directory = _absolute("cache.directory", directory, home, is_used=cache.disk_size > 0)
    tag_key = _absolute("cache.tag_key", tag_key, home, is_used=is_tagged)
    database = database and _absolute("geoip.database", database, home)
    authority = settings.cluster.authority
    authority = authority and _absolute("cluster.authority", authority, home)
    lists = [_absolute("denylist.files", place, home) for place in settings.denylist.files]
    return replace(
        settings,
        cache=replace(cache, directory=directory, tag_key=tag_key),
        geoip=replace(settings.geoip, database=database),
        cluster=replace(settings.cluster, authority=authority),
        denylist=replace(settings.denylist, files=tuple(lists)),
    )


def _absolute(key: str, path: str, home: str, *, is_used: bool = True) -> str:
    """Return an absolute path; one that nobody will use may stay below a home that is not there.

    Raises:
        BadSettings: it is used, and it is below the home folder of a user who has none.
    """
    if home and (path == "~" or path.startswith("~/")):
        path = home + path[1:]
    try:
        return str(Path(path).expanduser().absolute())
    except RuntimeError as exc:
        if not is_used:
            return path
        raise BadSettings([BadSetting(key, f'"{path}": {exc}')]) from None


def _missing_files(settings: Settings) -> Iterator[BadSetting]:
    database = settings.geoip.database
    if database and not Path(database).is_file():
        yield BadSetting("geoip.database", f'"{database}" is not a file')
    if not settings.cache.disk_size:
        return
    directory = Path(settings.cache.directory)
    if directory.exists() and not directory.is_dir():
        yield BadSetting("cache.directory", f'"{directory}" is not a folder')
    elif directory.exists() and not os.access(directory, os.W_OK | os.X_OK):
        yield BadSetting("cache.directory", f'"{directory}" cannot be written to')
    elif reason := _why_foreign(directory):
        yield BadSetting("cache.directory", f'"{directory}" {reason}')


def _why_foreign(directory: Path) -> str:
    try:
        return why_foreign(directory)
    except OSError as exc:
        return f"cannot be looked at: {exc}"
