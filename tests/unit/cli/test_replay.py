"""`replay` reads the logs that we and nginx write."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.cli.replay import ENTRY_BYTES, Line, parse_line, read_trace
from gateway.ops.access_log import AccessLog
from tests.fakes.requests import RECORD

COMBINED = '1.2.3.4 - - [01/Jan/2026:00:00:00 +0000] "GET /ipfs/a/b?x=1 HTTP/1.1" {} {} "-" "-"'


def json_line(target: str, status: int = 200, size: int = 10) -> str:
    return json.dumps({"event": "request", "target": target, "status": status, "bytes": size})


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param(json_line("/ipfs/a?format=car"), Line("/ipfs/a", 10), id="json"),
        pytest.param(json_line("/ipns/a", 206), Line("/ipns/a", 10), id="range"),
        pytest.param(COMBINED.format(200, 5), Line("/ipfs/a/b", 5), id="combined"),
        pytest.param(COMBINED.format(304, "-"), Line("/ipfs/a/b", 0), id="nginx-no-bytes"),
        pytest.param(json_line("/ipfs/a", 404), None, id="not-found"),
        pytest.param(json_line("/favicon.ico"), None, id="no-content"),
        pytest.param('{"event": "listening"}', None, id="other-event"),
        pytest.param("{", None, id="cut"),
        pytest.param("nonsense", None, id="nonsense"),
    ],
)
def test_requests_for_content_are_read(text: str, line: Line | None) -> None:
    assert parse_line(text) == line


class Lines:
    """Stands where the log's writer is."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.write = self.lines.append


@pytest.mark.parametrize("style", ["json", "combined"])
def test_what_we_write_is_read(style: str) -> None:
    lines = Lines()
    AccessLog(style, lines).write(RECORD)  # type: ignore[arg-type]  # only `write` is used
    line = parse_line(lines.lines[0].decode())
    assert line is not None
    assert line.size == RECORD.size_bytes


def test_a_thing_is_as_large_as_the_most_that_was_sent_of_it() -> None:
    trace = read_trace([json_line("/ipfs/a", 304, 0), json_line("/ipfs/a", 200, 70)])
    assert [asked.size for asked in trace] == [70 + ENTRY_BYTES] * 2


def test_the_table_and_the_picture_name_every_policy(tmp_path: Path) -> None:
    log, svg = tmp_path / "access.log", tmp_path / "hits.svg"
    lines = [json_line(f"/ipfs/{n % 7}", size=1000 * (n % 7)) for n in range(100)]
    log.write_text("\n".join(lines), "ascii")
    result = CliRunner().invoke(app, ["replay", str(log), "--svg", str(svg)])
    assert result.exit_code == 0
    assert "100 requests for 7 paths" in result.stdout
    words = ["memory tier (S3-FIFO)", "disk tier (midpoint LRU)", "second hit", "LRU"]
    assert all(word in result.stdout for word in words)
    picture = ET.fromstring(svg.read_text("utf-8"))  # noqa: S314 (our own)
    assert all(word in "".join(picture.itertext()) for word in words)


@pytest.mark.parametrize("content", [None, "nothing"], ids=["absent", "no-request"])
def test_a_log_without_requests_is_told(tmp_path: Path, content: str | None) -> None:
    log = tmp_path / "access.log"
    if content is not None:
        log.write_text(content, "ascii")
    result = CliRunner().invoke(app, ["replay", str(log)])
    assert result.exit_code == 1
    assert "error: " in result.stderr
