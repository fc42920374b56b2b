"""What goes to standard error: one JSON object per line for events, one line per request.

Our own modules log through `structlog` or the standard library; libraries use the latter. Both
end in the same writer as the access log, so that lines of one process never mix.
"""

import atexit
import json
import logging
import re
import sys
from collections.abc import MutableMapping, Sequence
from typing import Any, Final

import structlog
from typing_extensions import override

from gateway.ops.access_log import AccessLog
from gateway.ops.lines import LineWriter
from gateway.settings import LogSettings

QUIET: Final = ("aiohttp", "asyncio", "uvicorn")  # only what is wrong with them is of interest
HIDDEN: Final = "[hidden]"
STDERR_FD: Final = 2

_SHARED: Final[Sequence[structlog.typing.Processor]] = (
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
)
_SECRET_NAME = re.compile(
    r"authorization|cookie|passw|secret|token|api_?key|access_?key", re.IGNORECASE
)
_USER_IN_URL = re.compile(r"(?<=://)[^/@\s]+@")


class Logs:
    """The logs of one process, once they are set up."""

    def __init__(self, settings: LogSettings, fd: int) -> None:
        self._writer = LineWriter(fd)
        self.access = AccessLog(settings.access, self._writer)
        self._handler = _Handler(self._writer)

    def install(self) -> None:
        """Send all events of this process here."""
        structlog.configure(
            processors=[
                structlog.stdlib.filter_by_level,
                *_SHARED,
                structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
            ],
            wrapper_class=structlog.stdlib.BoundLogger,
            logger_factory=structlog.stdlib.LoggerFactory(),
        )
        root = logging.getLogger()
        for old in root.handlers[:]:
            if isinstance(old, _Handler):
                root.removeHandler(old)
        root.addHandler(self._handler)
        root.setLevel(logging.INFO)
        for name in QUIET:
            logging.getLogger(name).setLevel(logging.WARNING)
        logging.captureWarnings(capture=True)

    def flush(self) -> None:
        """Return when every line is written."""
        self._writer.flush()

    def close(self) -> None:
        """Write what is left. Lines that come later are written, too."""
        self._writer.close()


class _Handler(logging.Handler):
    """Hands records of the standard library to a writer, as JSON."""

    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self._writer = writer
        self.setFormatter(
            structlog.stdlib.ProcessorFormatter(
                foreign_pre_chain=_SHARED,
                processors=[
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    hide_secrets,
                    to_json,
                ],
            )
        )

    @override
    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._writer.write(self.format(record).encode("utf-8", "backslashreplace") + b"\n")
        except Exception:  # noqa: BLE001 (what logging itself does: a bad record ends nothing)
            self.handleError(record)


def hide_secrets(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Hide values whose name says that they are secret, and users and passwords in URLs."""
    for name, value in event.items():
        if _SECRET_NAME.search(name):
            event[name] = HIDDEN
        elif isinstance(value, str):
            event[name] = _USER_IN_URL.sub(f"{HIDDEN}@", value)
    return event


def to_json(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """Write an event down as ASCII, what happened first; control characters are escaped."""
    first = {name: event.pop(name) for name in ("time", "level", "event") if name in event}
    return json.dumps(first | dict(event), default=str).replace("\x7f", "\\u007f")


def _stderr_fd() -> int:
    try:
        return sys.stderr.fileno()
    except (AttributeError, OSError):  # closed when the process began: Python has none then
        return STDERR_FD


def configure(settings: LogSettings, fd: int | None = None) -> Logs:
    """Set up the logs of this process; what is left is written at its end.

    Args:
        settings: the section `[log]`.
        fd: where to write; standard error unless said otherwise.
    """
    logs = Logs(settings, _stderr_fd() if fd is None else fd)
    logs.install()
    atexit.register(logs.close)
    return logs
