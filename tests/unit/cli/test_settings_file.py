"""Files and variables become settings, or an error that names the place."""

import os
import pwd
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.cli import settings_file
from gateway.cli.settings_file import MAX_FILE_BYTES, load_settings, warnings_about
from gateway.errors import BadSettings
from gateway.settings import CacheSettings, HostSettings, Settings, UpstreamSettings
from tests.refusal import check_refused

WriteFile = Callable[[str], Path]


@pytest.fixture(name="write")
def write_fixture(tmp_path: Path) -> WriteFile:
    def write(text: str) -> Path:
        file = tmp_path / "gateway.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


def test_file_sets_what_it_names_and_leaves_the_rest(write: WriteFile) -> None:
    settings = load_settings(write('[cache]\ndisk_size = "1GiB"\n'), {})

    assert settings.cache.disk_size == 2**30
    assert settings.limits == Settings().limits


def test_environment_wins_over_the_file(write: WriteFile) -> None:
    file = write("[server]\nworkers = 2\n[limits]\nburst = 7\n")

    settings = load_settings(file, {"GATEWAY_SERVER__WORKERS": "3"})

    assert (settings.server.workers, settings.limits.burst) == (3, 7)


@pytest.mark.parametrize(
    ("variable", "text", "section", "key", "value"),
    [
        ("GATEWAY_CACHE__DISK_SIZE", "1GiB", "cache", "disk_size", 2**30),
        ("GATEWAY_CACHE__DIRECTORY", "/var/cache/x", "cache", "directory", "/var/cache/x"),
        ("GATEWAY_ADMIN__TOKEN", "12345", "admin", "token", "12345"),
        ("GATEWAY_LIMITS__REQUESTS", "", "limits", "requests", ""),
        ("GATEWAY_LIMITS__BURST", "9", "limits", "burst", 9),
        ("GATEWAY_RETRIEVAL__IDLE_TIMEOUT", "2s", "retrieval", "idle_timeout", 2.0),
        (
            "GATEWAY_SERVER__TRUSTED_PROXIES",
            "unix, ::1",
            "server",
            "trusted_proxies",
            ("unix", "::1"),
        ),
        ("GATEWAY_SERVER__TRUSTED_PROXIES", '["unix"]', "server", "trusted_proxies", ("unix",)),
        ("GATEWAY_SERVER__TRUSTED_PROXIES", "", "server", "trusted_proxies", ()),
        ("GATEWAY_NAMES__DNSLINK", '{"a.b" = "/ipfs/c"}', "names", "dnslink", {"a.b": "/ipfs/c"}),
        ("GATEWAY_NAMES__DNSLINK", '{"a.b": "/ipfs/c"}', "names", "dnslink", {"a.b": "/ipfs/c"}),
    ],
)
def test_a_variable_sets_a_key(
    variable: str, text: str, section: str, key: str, value: object
) -> None:
    settings = load_settings(None, {variable: text})

    assert getattr(getattr(settings, section), key) == value


@pytest.mark.parametrize(
    "text",
    [
        '[{"name": "a", "url": "http://10.0.0.1"}]',
        '[{name = "a", url = "http://10.0.0.1"}]',
        '[\n  {name = "a", url = "http://10.0.0.1"},\n]',
    ],
    ids=["json", "toml", "toml-lines"],
)
def test_upstreams_come_from_one_variable(text: str) -> None:
    upstreams = load_settings(None, {"GATEWAY_UPSTREAMS": text}).upstreams

    assert [(u.name, u.url) for u in upstreams] == [("a", "http://10.0.0.1")]


def test_hosts_come_from_one_variable() -> None:
    settings = load_settings(None, {"GATEWAY_HOSTS": '{"a.b" = {subdomains = false}}'})

    assert settings.hosts == {"a.b": HostSettings(subdomains=False)}


@pytest.mark.parametrize(
    ("variable", "text", "reason"),
    [
        ("GATEWAY_CACHE__DISKSIZE", "1GiB", "did you mean `cache.disk_size`"),
        ("GATEWAY_CACHE__", "1", "unknown setting"),
        ("GATEWAY_COLOUR__X", "1", "unknown setting"),
        ("GATEWAY_UPSTREAMS__0__URL", "http://a", "unknown setting"),
        ("GATEWAY_SERVER__WORKERS", "two", "neither a TOML nor a JSON value"),
        ("GATEWAY_SERVER__WORKERS", "", "neither a TOML nor a JSON value"),
        ("GATEWAY_SERVER__WORKERS", "1\nlisten = 2", "neither a TOML nor a JSON value"),
        ("GATEWAY_UPSTREAMS", "http://a", "neither a TOML nor a JSON value"),
        ("GATEWAY_UPSTREAMS", "[" * 100_000, "neither a TOML nor a JSON value"),
    ],
)
def test_a_wrong_variable_is_refused_by_its_name(variable: str, text: str, reason: str) -> None:
    with pytest.raises(BadSettings, match=reason) as caught:
        load_settings(None, {variable: text})

    assert [problem.key for problem in caught.value.problems] == [variable]


@pytest.mark.parametrize(
    ("variable", "text", "key"),
    [
        ("GATEWAY_CACHE__DISK_SIZE", "big", "cache.disk_size"),
        ("GATEWAY_CACHE__DIRECTORY", "/a\nb", "cache.directory"),
        ("GATEWAY_UPSTREAMS", "7", "upstreams"),
        ("GATEWAY_UPSTREAMS", '[{"name": "a"}]', "upstreams[0].url"),
    ],
)
def test_a_wrong_value_is_refused_by_its_key(variable: str, text: str, key: str) -> None:
    with pytest.raises(BadSettings, match=re.escape(key)) as caught:
        load_settings(None, {variable: text})

    assert [problem.key for problem in caught.value.problems] == [key]


def test_a_section_that_is_no_table_stays_refused(write: WriteFile) -> None:
    with pytest.raises(BadSettings, match="cache: must be a table"):
        load_settings(write("cache = 1\n"), {"GATEWAY_CACHE__DISK_SIZE": "1GiB"})


@pytest.mark.parametrize("variable", ["GATEWAY_PEERS", "GATEWAY_PORT", "X_A__B", "gateway_a__b"])
def test_other_variables_are_left_alone(variable: str) -> None:
    assert load_settings(None, {variable: "/x"}) == load_settings(None, {})


def test_a_missing_file_is_told_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"absent\.toml: no such file or directory"):
        load_settings(tmp_path / "absent.toml", {})


def test_a_folder_is_not_a_configuration(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="is a directory"):
        load_settings(tmp_path, {})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[server]\nworkers = \n", r"is not TOML: .*line 2"),
        ("a = " + "[" * 100_000, "is not TOML"),
        ("#" * (MAX_FILE_BYTES + 1), "is larger than"),
    ],
    ids=["syntax", "nested", "huge"],
)
def test_a_file_that_cannot_be_read_says_why(write: WriteFile, text: str, reason: str) -> None:
    check_refused(BadSettings, reason, load_settings, write(text), {})


def test_a_file_of_other_bytes_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_bytes(b"a = '\xff'")

    with pytest.raises(BadSettings, match=r"is not UTF-8 \(byte 5\)"):
        load_settings(file, {})


@pytest.mark.parametrize(
    ("environment", "directory"),
    [
        ({"HOME": "/home/me"}, "/home/me/.cache/ipfs-gateway"),
        ({"HOME": "/home/me", "XDG_CACHE_HOME": "/fast"}, "/fast/ipfs-gateway"),
        ({"HOME": "/home/me", "XDG_CACHE_HOME": "not/absolute"}, "/home/me/.cache/ipfs-gateway"),
        ({"HOME": "/home/me", "GATEWAY_CACHE__DIRECTORY": "~"}, "/home/me"),
        ({"XDG_CACHE_HOME": "/fast", "GATEWAY_CACHE__DIRECTORY": "/var/x"}, "/var/x"),
    ],
)
def test_the_cache_folder_follows_home_and_xdg(environment: dict[str, str], directory: str) -> None:
    assert load_settings(None, environment).cache.directory == directory


@pytest.mark.parametrize(
    ("environment", "path"),
    [
        ({"HOME": "/home/me"}, "/home/me/.local/state/ipfs-gateway/tag.key"),
        ({"HOME": "/home/me", "XDG_STATE_HOME": "/state"}, "/state/ipfs-gateway/tag.key"),
        ({"XDG_STATE_HOME": "/state", "GATEWAY_CACHE__TAG_KEY": "/etc/key"}, "/etc/key"),
    ],
)
def test_the_key_of_the_tags_follows_home_and_xdg(environment: dict[str, str], path: str) -> None:
    assert load_settings(None, environment).cache.tag_key == path


@pytest.fixture(name="homeless")
def homeless_fixture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a user that has no home folder, as in a container with a user id of its own."""

    def refuse(number: int) -> pwd.struct_passwd:
        raise KeyError(number)

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", refuse)


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({"GATEWAY_CACHE__DIRECTORY": "/var/none"}, id="no-tags"),
        pytest.param({"GATEWAY_CACHE__DISK_SIZE": "0"}, id="no-disk"),
        pytest.param(
            {"GATEWAY_CACHE__DISK_SIZE": "0", "GATEWAY_CACHE__READ_VERIFICATION": "tag"},
            id="no-disk-to-tag",
        ),
        pytest.param({"XDG_CACHE_HOME": "/var/none"}, id="xdg"),
    ],
)
def test_without_a_home_only_what_is_used_needs_a_place(environment: dict[str, str]) -> None:
    """Issue 12, 30: refused for `cache.tag_key`, which nobody reads without tags."""
    settings = load_settings(None, environment)

    assert settings.cache.tag_key == CacheSettings().tag_key


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize(
    ("environment", "key"),
    [
        ({}, "cache.directory"),
        (
            {"GATEWAY_CACHE__DIRECTORY": "/var/none", "GATEWAY_CACHE__READ_VERIFICATION": "tag"},
            "cache.tag_key",
        ),
        (
            {"GATEWAY_CACHE__DISK_SIZE": "0", "GATEWAY_DENYLIST__FILES": "~/x.deny"},
            "denylist.files",
        ),
        (
            {
                "GATEWAY_CACHE__DISK_SIZE": "0",
                "GATEWAY_CLUSTER__API": "https://cluster.example:9094",
                "GATEWAY_CLUSTER__AUTHORITY": "~/ca.pem",
            },
            "cluster.authority",
        ),
    ],
)
def test_without_a_home_what_is_below_it_is_refused_by_its_key(
    environment: dict[str, str], key: str
) -> None:
    check_refused(BadSettings, f"{key}: .*home directory", load_settings, None, environment)


def test_a_folder_that_is_not_used_is_not_looked_at(write: WriteFile) -> None:
    file = write("")

    settings = load_settings(
        None, {"GATEWAY_CACHE__DIRECTORY": str(file), "GATEWAY_CACHE__DISK_SIZE": "0"}
    )

    assert settings.cache.disk_size == 0


def test_a_relative_folder_is_below_the_working_folder() -> None:
    settings = load_settings(None, {"GATEWAY_CACHE__DIRECTORY": "blocks"})

    assert settings.cache.directory == str(Path.cwd() / "blocks")


def test_a_home_of_nobody_is_refused() -> None:
    with pytest.raises(BadSettings, match=r"cache\.directory: "):
        load_settings(None, {"GATEWAY_CACHE__DIRECTORY": "~nobody-has-this-name/x"})


def test_a_missing_geoip_database_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"geoip\.database: .* is not a file"):
        load_settings(None, {"GATEWAY_GEOIP__DATABASE": str(tmp_path / "absent.mmdb")})


def test_a_cache_folder_that_is_there_is_used_again(tmp_path: Path) -> None:
    settings = load_settings(None, {"GATEWAY_CACHE__DIRECTORY": str(tmp_path)})

    assert settings.cache.directory == str(tmp_path)


def test_a_geoip_database_in_the_home_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "geo.mmdb").touch()

    settings = load_settings(None, {"HOME": str(tmp_path), "GATEWAY_GEOIP__DATABASE": "~/geo.mmdb"})

    assert settings.geoip.database == str(tmp_path / "geo.mmdb")


def test_a_cache_folder_that_is_a_file_is_refused(write: WriteFile) -> None:
    file = write("")

    with pytest.raises(BadSettings, match=r"cache\.directory: .* is not a folder"):
        load_settings(None, {"GATEWAY_CACHE__DIRECTORY": str(file)})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_cache_folder_without_write_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    with pytest.raises(BadSettings, match="cannot be written to"):
        load_settings(None, {"GATEWAY_CACHE__DIRECTORY": str(tmp_path)})


def test_a_token_that_all_can_read_is_warned_about(write: WriteFile) -> None:
    file = write('[admin]\ntoken = "s3cret"\n')
    settings = load_settings(file, {})

    file.chmod(0o644)
    open_file = list(warnings_about(file, settings))
    file.chmod(0o640)
    closed_file = list(warnings_about(file, settings))

    assert len(open_file) == len(closed_file) + 1
    assert not any("s3cret" in warning for warning in open_file)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_cache_folder_of_another_user_is_warned_about(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, -1)
    settings = load_settings(None, {"GATEWAY_CACHE__DIRECTORY": str(tmp_path)})

    warnings = " ".join(warnings_about(None, settings))

    assert "belongs to another user" in warnings
    assert "running as root" in warnings


@pytest.mark.parametrize(("disk_size", "is_refused"), [("1GiB", True), ("0", False)])
def test_a_cache_directory_with_files_of_others_is_refused(
    write: WriteFile, tmp_path: Path, disk_size: str, *, is_refused: bool
) -> None:
    """Issue 12, 31: `serve` and `check-config` read their settings here."""
    directory = tmp_path / "repository"
    (directory / "blocks").mkdir(parents=True)
    file = write(f'[cache]\ndirectory = "{directory}"\ndisk_size = "{disk_size}"\n')

    if not is_refused:
        assert load_settings(file, {}).cache.directory == str(directory)
        return
    with pytest.raises(BadSettings, match=r"cache.directory.*not a cache of this gateway"):
        load_settings(file, {})


def test_a_cache_directory_that_cannot_be_looked_at_is_refused(
    write: WriteFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> str:
        raise PermissionError("no entry")

    monkeypatch.setattr(settings_file, "why_foreign", fail)

    with pytest.raises(BadSettings, match=r"cannot be looked at: no entry"):
        load_settings(write(f'[cache]\ndirectory = "{tmp_path}"\n'), {})


@pytest.mark.parametrize(
    ("url", "instead"),
    [
        pytest.param("http://localhost:8080", "http://127.0.0.1:8080", id="port"),
        pytest.param("http://a.localhost", "http://127.0.0.1", id="below"),
        pytest.param("https://LOCALHOST:1", "https://127.0.0.1:1", id="upper-case"),
    ],
)
def test_an_upstream_by_the_name_localhost_is_warned_of(url: str, instead: str) -> None:
    """issue 12, 32: Kubo sends requests for blocks to subdomains of that name."""
    settings = Settings(upstreams=(UpstreamSettings(name="kubo", url=url),))
    warnings = " ".join(warnings_about(None, settings))
    assert f"upstreams[0].url is {url}: " in warnings
    assert f"write {instead}" in warnings


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "http://localhost.example", "http://[::1]"]
)
def test_other_upstreams_are_not_warned_of(url: str) -> None:
    settings = Settings(upstreams=(UpstreamSettings(name="kubo", url=url),))
    assert "subdomain" not in " ".join(warnings_about(None, settings))
