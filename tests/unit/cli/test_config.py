"""`check-config` says what is wrong, or what follows from a configuration."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.cli.config import describe_settings
from gateway.settings import (
    AdminSettings,
    ClusterSettings,
    HostSettings,
    Settings,
    SharedSettings,
    UpstreamSettings,
)

EXAMPLE = Path(__file__).parents[3] / "config" / "gateway.toml"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)


def test_the_example_is_right() -> None:
    result = CliRunner().invoke(app, ["check-config", str(EXAMPLE)])

    assert result.exit_code == 0
    assert result.stdout.endswith(f"{EXAMPLE}: ok\n")


def test_what_is_not_a_default_stands_out(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('[cache]\ndisk_size = "1GiB"\n')

    lines = CliRunner().invoke(app, ["check-config", str(file)]).stdout.splitlines()

    rows = {line.split()[0]: line.split()[1:] for line in lines}
    assert rows["cache.disk_size"] == ['"1GiB"']
    assert rows["cache.memory_size"] == ['"256MiB"', "default"]


def test_the_environment_is_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_CACHE__DISK_SIZE", "7GiB")

    result = CliRunner().invoke(app, ["check-config", str(EXAMPLE)])

    assert '"7GiB"' in result.stdout


def test_every_mistake_has_a_line_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('colour = 1\n[cache]\ndisksize = "1GiB"\n[server]\nworkers = 0\n')

    result = CliRunner().invoke(app, ["check-config", str(file)])

    assert (result.exit_code, result.stdout) == (2, "")
    assert sorted(result.stderr.splitlines()) == [
        "error: cache.disksize: unknown key `disksize`; did you mean `disk_size`?",
        "error: colour: unknown key `colour`; did you mean `cluster`?",
        "error: server.workers: 0 is not between 1 and 256",
    ]


def test_a_file_that_is_not_there_is_told() -> None:
    result = CliRunner().invoke(app, ["check-config", "/nowhere/gateway.toml"])

    assert result.exit_code == 2
    assert result.stderr == "error: /nowhere/gateway.toml: no such file or directory\n"


def test_secrets_are_not_shown() -> None:
    settings = Settings(
        admin=AdminSettings(token="s3cret"),  # noqa: S106 (a test's)
        cluster=ClusterSettings(user="me", password="s3cret"),  # noqa: S106 (a test's)
        shared=SharedSettings(redis="redis://me:s3cret@10.0.0.1/0"),
    )

    rows = {key: value for key, value, _ in describe_settings(settings)}

    assert {key for key, value in rows.items() if value == "(set)"} == {
        "admin.token",
        "cluster.password",
        "shared.redis",
    }
    assert "s3cret" not in str(rows)


def test_upstreams_and_hosts_are_told_one_by_one() -> None:
    settings = Settings(
        hosts={"example.com": HostSettings(subdomains=False)},
        upstreams=(UpstreamSettings(name="a", url="http://10.0.0.1"),),
    )

    rows = {key: value for key, value, _ in describe_settings(settings)}

    assert rows["hosts.example.com.subdomains"] == "false"
    assert rows["upstreams[0].url"] == '"http://10.0.0.1"'


def test_denylists_are_read_and_lines_left_out_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.deny").write_text("/ipfs/bafkqabtimvwgy3yk\nnonsense\n")
    file = tmp_path / "gateway.toml"
    file.write_text(f'[denylist]\nfiles = ["{tmp_path}"]\n')

    result = CliRunner().invoke(app, ["check-config", str(file)])

    assert result.exit_code == 0
    assert f"{tmp_path}/a.deny: 1 rules, 1 lines left out" in result.stdout
    assert f"warning: {tmp_path}/a.deny, line 2: a rule is" in result.stderr


def test_a_denylist_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('[denylist]\nfiles = ["/nothing/here.deny"]\n')

    result = CliRunner().invoke(app, ["check-config", str(file)])

    assert result.exit_code == 2
    assert "denylist.files: " in result.stderr


@pytest.mark.parametrize(
    ("setting", "code", "told"),
    [
        pytest.param("", 0, "warning: ", id="warn"),
        pytest.param('incomplete = "refuse"', 2, "denylist.files: ", id="refuse"),
    ],
)
def test_a_denylist_that_is_not_whole_is_told(
    tmp_path: Path, setting: str, code: int, told: str
) -> None:
    """Issue 12, 8."""
    (tmp_path / "a.deny").write_text("<html>502</html>\n")
    file = tmp_path / "gateway.toml"
    file.write_text(f'[denylist]\nfiles = ["{tmp_path}"]\n{setting}\n')

    result = CliRunner().invoke(app, ["check-config", str(file)])

    assert result.exit_code == code
    assert f"{told}{tmp_path}/a.deny has no valid rule" in result.stderr


def test_a_denylist_that_is_no_file_is_a_mistake_that_is_told_at_once(tmp_path: Path) -> None:
    """Issue 12, 8: it was read for ever."""
    file = tmp_path / "gateway.toml"
    file.write_text('[denylist]\nfiles = ["/dev/full"]\n')

    result = CliRunner().invoke(app, ["check-config", str(file)])

    assert result.exit_code == 2
    assert "denylist.files: " in result.stderr
    assert "Not a regular file" in result.stderr
