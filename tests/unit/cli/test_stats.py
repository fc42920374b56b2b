"""`stats` shows what a gateway tells, or says why it tells nothing."""

import json
from collections.abc import Iterator

import pytest
from rich.console import Console
from typer.testing import CliRunner

from gateway.cli import app
from gateway.cli.stats import render
from tests.fakes.admin import Admin, serving

CACHE = {
    "hits": {"hot": 10, "memory": 2000, "disk": 0},
    "misses": 7,
    "hit_ratio": 0.9951,
    "bytes_served": 1_572_864,
    "disk_bytes": 512,
    "disk_limit": 10 * 2**40,
    "evictions": {},
    "index_state": "ready",
    "top_roots": [{"root": "bafkqaaa", "requests": 12, "error": 0}],
}
ROW = {
    "name": "stockholm-1",
    "state": "healthy",
    "ttfb_ms": 12.34,
    "requests": 5,
    "failures": {"busy": 2},
    "share": 1.0,
    "bytes": 3 * 2**30,
    "reason": None,
}


@pytest.fixture(name="admin")
def admin_fixture() -> Iterator[Admin]:
    with serving() as admin:
        admin.pages["/api/v1/cache"] = (200, json.dumps(CACHE).encode())
        admin.pages["/api/v1/upstreams"] = (200, json.dumps([ROW]).encode())
        yield admin


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["stats", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_both_pages_are_shown(admin: Admin) -> None:
    code, shown, _ = run("--url", admin.url)

    assert code == 0
    assert all(word in shown for word in ("hit ratio", "99.5%", "stockholm-1", "bafkqaaa"))


def test_the_token_is_sent(admin: Admin) -> None:
    run("--url", admin.url, "--token", "s3cret")

    assert admin.tokens == {"Bearer s3cret"}


def test_the_token_comes_from_the_environment(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_ADMIN__TOKEN", "s3cret")

    run("--url", admin.url)

    assert admin.tokens == {"Bearer s3cret"}


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (401, b"{}", "refuses the token"),
        (404, b"{}", "/api/v1/cache answers 404"),
        (302, b"", "/api/v1/cache answers 302"),
        (200, b"<html>", "is not a page of the admin listener"),
        (200, b"[1]", "is not a page of the admin listener"),
    ],
)
def test_a_listener_that_tells_nothing_is_named(
    admin: Admin, status: int, body: bytes, reason: str
) -> None:
    admin.pages["/api/v1/cache"] = status, body

    code, shown, complaint = run("--url", admin.url)

    assert (code, shown) == (1, "")
    assert complaint.startswith("error: ")
    assert reason in complaint


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "nonsense", "ftp://a"])
def test_nobody_there_is_told(url: str) -> None:
    code, shown, complaint = run("--url", url)

    assert (code, shown) == (1, "")
    assert "is the gateway running" in complaint


def test_a_url_that_is_none_is_told() -> None:
    assert run("--url", "http://[::1")[2].startswith("error: http://[::1 is not a URL")


def test_watching_goes_on_until_it_is_interrupted(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt_the_third(_: float) -> None:
        if admin.asked >= 6:
            raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupt_the_third)

    code, shown, _ = run("--url", admin.url, "--watch", "--every", "0.1")

    assert (code, admin.asked) == (0, 6)
    assert "stockholm-1" in shown


@pytest.mark.parametrize(
    "words",
    [
        "hits hot 10, memory 2,000, disk 0",
        "hit ratio 99.5%",
        "bytes served 1.5 MiB",
        "disk bytes 512 B",
        "disk limit 10.0 TiB",
        "evictions none",
        "index state ready",
        "stockholm-1 healthy 12.3 5 busy 2 100.0% 3.0 GiB -",
        "bafkqaaa 12",
    ],
)
def test_figures_are_written_for_people(words: str) -> None:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(render(CACHE, [ROW]))

    assert words in [" ".join(line.split()) for line in captured.get().splitlines()]


def test_a_gateway_that_has_done_nothing_has_empty_tables() -> None:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(render({"misses": 0}, []))

    assert "misses" in captured.get()
