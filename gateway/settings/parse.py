"""The tree of a TOML file to `Settings` and back; every mistake in it is told at once."""

import dataclasses
import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, Field
from typing import Any, TypeVar, get_type_hints

from gateway.errors import BadSetting, BadSettings
from gateway.host_names import canonical_host
from gateway.settings.checks import find_conflicts
from gateway.settings.kinds import kind_of
from gateway.settings.sections import HostSettings, Settings, UpstreamSettings
from gateway.settings.shapes import Shape, check_shape, describe
from gateway.settings.values import Kind, is_host

Section = TypeVar("Section")

HOSTS = "hosts"
UPSTREAMS = "upstreams"


def _read_kinds(section: type[Any]) -> dict[str, Kind]:
    hints = get_type_hints(section, include_extras=True)
    return {field.name: kind_of(hints[field.name]) for field in dataclasses.fields(section)}


_SECTIONS: Mapping[str, type[Any]] = {
    name: section
    for name, section in get_type_hints(Settings).items()
    if name not in {HOSTS, UPSTREAMS}
}
_KINDS: Mapping[type[Any], Mapping[str, Kind]] = {
    section: _read_kinds(section)
    for section in (*_SECTIONS.values(), HostSettings, UpstreamSettings)
}


def parse_settings(tree: Mapping[str, object]) -> Settings:
    """Make `Settings` of the tree that a TOML file holds; what is absent has its default.

    Raises:
        BadSettings: with every wrong key and value, each named.
    """
    problems: list[BadSetting] = []
    _refuse_unknown("", tree, _SECTIONS.keys() | {HOSTS, UPSTREAMS}, problems)
    parsed: dict[str, Any] = {
        name: _parse_section(section, name, tree[name], problems)
        for name, section in _SECTIONS.items()
        if name in tree
    }
    if HOSTS in tree:
        parsed[HOSTS] = _parse_hosts(tree[HOSTS], problems)
    if UPSTREAMS in tree:
        parsed[UPSTREAMS] = _parse_upstreams(tree[UPSTREAMS], problems)
    settings = Settings(**{name: part for name, part in parsed.items() if part is not None})
    wrong = {problem.key for problem in problems}
    problems.extend(found for found in find_conflicts(settings) if found.key not in wrong)
    if problems:
        raise BadSettings(problems)
    return settings


def format_settings(settings: Settings) -> dict[str, Any]:
    """Return the tree, of JSON and TOML values only, that parses to `settings`."""
    tree: dict[str, Any] = {name: _format_section(getattr(settings, name)) for name in _SECTIONS}
    tree[HOSTS] = {name: _format_section(host) for name, host in settings.hosts.items()}
    tree[UPSTREAMS] = [_format_section(upstream) for upstream in settings.upstreams]
    return tree


def shape_of(section: str, key: str) -> Shape | None:
    """Return what a setting looks like in TOML; None if there is no such setting."""
    section_class = _SECTIONS.get(section)
    kind = _KINDS[section_class].get(key) if section_class else None
    return kind.shape if kind else None


def _parse_section(
    section: type[Section], where: str, value: object, problems: list[BadSetting]
) -> Section | None:
    """Make one section; None if it has no usable form."""
    if not isinstance(value, Mapping):
        problems.append(BadSetting(where, f"must be a table, not {describe(value)}"))
        return None
    kinds = _KINDS[section]
    _refuse_unknown(where, value, kinds, problems)
    known: dict[str, Any] = {}
    for name, kind in kinds.items():
        if name in value:
            try:
                check_shape(kind.shape, value[name])
                known[name] = kind.read(value[name])
            except ValueError as exc:
                problems.append(BadSetting(f"{where}.{name}", str(exc)))
    missing = [name for name in _required(section) if name not in known]
    problems.extend(
        BadSetting(f"{where}.{name}", "is required") for name in missing if name not in value
    )
    return None if missing else section(**known)


def _required(section: type[Any]) -> list[str]:
    fields: tuple[Field[Any], ...] = dataclasses.fields(section)
    return [f.name for f in fields if f.default is MISSING and f.default_factory is MISSING]


def _parse_hosts(value: object, problems: list[BadSetting]) -> dict[str, HostSettings] | None:
    if not isinstance(value, Mapping):
        problems.append(BadSetting(HOSTS, f"must be a table, not {describe(value)}"))
        return None
    hosts: dict[str, HostSettings] = {}
    spellings: dict[str, str] = {}
    for name, table in value.items():
        where = f'{HOSTS}."{name}"'
        host = canonical_host(name) if is_host(name) else None
        if host is None:
            problems.append(BadSetting(where, "is not a host name"))
        elif (first := spellings.setdefault(host, name)) != name:
            problems.append(BadSetting(where, f'is {HOSTS}."{first}", too'))
        settings = _parse_section(HostSettings, where, table, problems)
        if host is not None and settings is not None:
            hosts[host] = settings
    return hosts


def _parse_upstreams(
    value: object, problems: list[BadSetting]
) -> tuple[UpstreamSettings, ...] | None:
    if not isinstance(value, Sequence) or isinstance(value, str):
        problems.append(BadSetting(UPSTREAMS, f"must be [[{UPSTREAMS}]], not {describe(value)}"))
        return None
    upstreams = [
        _parse_section(UpstreamSettings, f"{UPSTREAMS}[{index}]", table, problems)
        for index, table in enumerate(value)
    ]
    usable = tuple(upstream for upstream in upstreams if upstream is not None)
    return usable if len(usable) == len(upstreams) else None


def _refuse_unknown(
    where: str, table: Mapping[str, object], known: Iterable[str], problems: list[BadSetting]
) -> None:
    names = list(known)
    for key in table:
        if key not in names:
            hint = nearest_key(key, names)
            full = f"{where}.{key}" if where else key
            problems.append(BadSetting(full, f"unknown key `{key}`" + hint))


def nearest_key(key: str, names: Iterable[str]) -> str:
    """Return `; did you mean ...?` for a key that is not known, or nothing."""
    close = difflib.get_close_matches(key.lower(), names, n=1)
    if not close:
        everywhere = {
            name: f"{section}.{name}"
            for section, section_class in _SECTIONS.items()
            for name in _KINDS[section_class]
        }
        close = [everywhere[name] for name in difflib.get_close_matches(key, everywhere, n=1)]
    return f"; did you mean `{close[0]}`?" if close else ""


def _format_section(section: Any) -> dict[str, Any]:
    values = ((name, kind, getattr(section, name)) for name, kind in _KINDS[type(section)].items())
    return {name: kind.write(value) for name, kind, value in values if value is not None}
