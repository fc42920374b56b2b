import json
import logging
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from gateway.ops.logs import Logs, configure, to_json
from gateway.settings import LogSettings
from tests.fakes.requests import RECORD


class Written:
    """Logs that write to a file, and what is in it."""

    def __init__(self, logs: Logs, path: Path) -> None:
        self.logs = logs
        self._path = path

    def lines(self) -> list[dict[str, Any]]:
        self.logs.flush()
        return [json.loads(line) for line in self._path.read_bytes().splitlines()]

    def only(self) -> dict[str, Any]:
        (line,) = self.lines()
        return line


@pytest.fixture(name="pristine", autouse=True)
def pristine_fixture() -> Iterator[None]:
    """Leave the logging of this process as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


@pytest.fixture(name="written")
def written_fixture(tmp_path: Path) -> Iterator[Written]:
    path = tmp_path / "log"
    with path.open("wb") as file:
        logs = Logs(LogSettings(), file.fileno())
        logs.install()
        yield Written(logs, path)
        logs.close()


def test_an_event_is_one_json_object(written: Written) -> None:
    structlog.stdlib.get_logger("gateway.x").warning("upstream_state", upstream="a", n=1)
    line = written.only()
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "warning",
        "event": "upstream_state",
        "logger": "gateway.x",
        "upstream": "a",
        "n": 1,
    }


def test_the_standard_library_writes_the_same_lines(written: Written) -> None:
    logging.getLogger("gateway.y").error("worker %d ended", 7)
    line = written.only()
    assert (line["level"], line["event"], line["logger"]) == (
        "error",
        "worker 7 ended",
        "gateway.y",
    )


def test_requests_and_events_come_in_order(written: Written) -> None:
    logger = structlog.stdlib.get_logger("gateway.x")
    logger.info("before")
    written.logs.access.write(RECORD)
    logger.info("after")
    assert [line["event"] for line in written.lines()] == ["before", "request", "after"]


def test_a_traceback_stays_in_its_line(written: Written) -> None:
    try:
        int("odd")
    except ValueError:
        logging.getLogger("gateway.x").exception("failed")
    line = written.only()
    assert line["exception"].startswith("Traceback")
    assert "ValueError: invalid literal" in line["exception"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a\nb\r\x00", id="newlines"),
        pytest.param("\x1b[31m\x7f\x9b", id="terminal"),
        pytest.param("\udc80", id="lone-surrogate"),
        pytest.param("caf\u00e9 \u2028", id="not-ascii"),
    ],
)
def test_any_text_is_one_line_of_printable_ascii(text: str) -> None:
    line = to_json(None, "info", {"event": text})
    assert json.loads(line) == {"event": text}
    assert line.isascii()
    assert line.isprintable()


def test_secrets_are_hidden(written: Written) -> None:
    structlog.stdlib.get_logger("gateway.x").info(
        "configured",
        **dict.fromkeys(("token", "Authorization", "aws_secret_access_key", "Set-Cookie"), "t0p"),
        url="http://user:t0p@example.com/x",
        upstream="a",
    )
    line = written.only()
    assert "t0p" not in json.dumps(line)
    assert line["url"] == "http://[hidden]@example.com/x"
    assert line["upstream"] == "a"


def test_values_that_json_does_not_know_are_written_as_text(written: Written) -> None:
    structlog.stdlib.get_logger("gateway.x").info("read", file=Path("/x"), error=ValueError("y"))
    assert (written.only()["file"], written.only()["error"]) == ("/x", "y")


@pytest.mark.parametrize("name", ["uvicorn.error", "aiohttp.access", "asyncio"])
def test_libraries_say_only_what_is_wrong(written: Written, name: str) -> None:
    logging.getLogger(name).info("started")
    logging.getLogger(name).warning("odd")
    assert written.only()["event"] == "odd"


def test_debugging_is_not_written(written: Written) -> None:
    structlog.stdlib.get_logger("gateway.x").debug("detail")
    assert written.lines() == []


def test_warnings_of_python_are_events(written: Written) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("careful", stacklevel=1)
    assert "careful" in written.only()["event"]


def test_setting_up_again_does_not_write_twice(written: Written) -> None:
    written.logs.install()
    logging.getLogger("gateway.x").info("once")
    assert len(written.lines()) == 1


def test_a_record_that_cannot_be_formatted_ends_nothing(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    logging.getLogger("gateway.x").info("%d", "not a number")
    logging.getLogger("gateway.x").info("next")
    assert written.only()["event"] == "next"


def test_lines_are_written_at_the_end_of_the_process() -> None:
    script = (
        "from gateway.ops.logs import configure\n"
        "from gateway.settings import LogSettings\n"
        "import logging\n"
        "configure(LogSettings())\n"
        "for number in range(200): logging.getLogger('gateway.x').info('line %d', number)\n"
    )
    ended = subprocess.run(  # noqa: S603 (our own interpreter)
        [sys.executable, "-c", script], check=True, capture_output=True, timeout=15
    )
    events = [json.loads(line)["event"] for line in ended.stderr.splitlines()]
    assert events == [f"line {number}" for number in range(200)]


def test_configuring_is_installing(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        logs = configure(LogSettings(access="combined"), file.fileno())
        logging.getLogger("gateway.x").info("one")
        logs.access.write(RECORD)
        logs.close()
    first, second = (tmp_path / "log").read_bytes().splitlines()
    assert json.loads(first)["event"] == "one"
    assert second.startswith(b"192.0.2.1 - - [")
