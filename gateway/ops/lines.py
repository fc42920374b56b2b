"""Lines on their way to a file descriptor: written by a thread, so that nobody waits for it."""

import os
import select
import stat
import threading
from collections import deque
from typing import Final

FLUSH_EVERY_S: Final = 0.1
MAX_PENDING_LINES: Final = 100_000  # about 50 MB; a reader that is so far behind is stuck
PIPE_BUF: Final = 4096  # pipe(7): so much is written at once, not mixed with other workers' lines
FILE_CHUNK_BYTES: Final = 64 * 1024  # Linux writes to a file that workers share one after the other
STUCK_S: Final = 1.0  # how long a full descriptor that does not block is waited for
CLOSE_S: Final = 2.0  # how long anybody waits for a reader that is stuck


class LineWriter:
    """Collects lines and writes them in order, whole, a tenth of a second later.

    `write` never blocks. When the reader of the descriptor is stuck, lines are kept up to a bound,
    then dropped and counted. Only the writer's own thread waits for a reader: a write to a pipe
    that is full may never return, and no end of a process hangs on that.
    """

    def __init__(self, fd: int, max_pending: int = MAX_PENDING_LINES) -> None:
        self._fd = fd
        self._max_pending = max_pending
        self._chunk_bytes = FILE_CHUNK_BYTES if _is_file(fd) else PIPE_BUF
        self._lines: deque[bytes] = deque()
        self._dropped = 0
        self._starting = threading.Lock()
        self._is_wanted = threading.Event()
        self._is_hurried = threading.Event()
        self._is_closing = threading.Event()
        self._waiting: deque[threading.Event] = deque()
        self._is_stuck = False
        self._thread: threading.Thread | None = None

    def write(self, line: bytes) -> None:
        """Take a line; it ends with its newline."""
        self._lines.append(line)
        if not self._is_wanted.is_set():
            self._rouse()
        elif len(self._lines) > self._max_pending:
            self._lines.pop()
            self._dropped += 1

    def flush(self) -> None:
        """Return when every line taken before is written; after `CLOSE_S` if it cannot be."""
        if self._thread is None and not self._lines:
            return
        written = threading.Event()
        self._waiting.append(written)
        self._is_hurried.set()
        self._rouse()
        self._is_stuck = not written.wait(self._patience_s())

    def close(self) -> None:
        """Write what is left, unless the reader is stuck. Later lines are written, too."""
        self._is_closing.set()
        self._is_hurried.set()
        self._is_wanted.set()
        if self._thread is not None:
            self._thread.join(self._patience_s())
            if self._thread.is_alive():
                self._is_stuck = True
                return
            self._thread = None
        if can_write(self._fd):
            self._write_all()
        for event in (self._is_closing, self._is_hurried, self._is_wanted):
            event.clear()

    def _patience_s(self) -> float:
        """Return how long to wait: who was waited for in vain is not waited for again."""
        return 0.0 if self._is_stuck else CLOSE_S

    def _take_chunk(self) -> list[bytes]:
        """Take as many whole lines as are written at once, at least one."""
        lines = self._lines
        chunk = [lines.popleft()]
        size = len(chunk[0])
        while lines and size + len(lines[0]) <= self._chunk_bytes:
            chunk.append(line := lines.popleft())
            size += len(line)
        return chunk

    def _rouse(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="log", daemon=True)
                self._thread.start()
        self._is_wanted.set()

    def _run(self) -> None:
        while not self._is_closing.is_set():
            self._is_wanted.wait()
            self._is_hurried.wait(FLUSH_EVERY_S)
            self._is_hurried.clear()
            self._is_wanted.clear()
            waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
            self._write_all()
            for written in waiting:
                written.set()

    def _write_all(self) -> None:
        while self._lines:
            self._put(b"".join(self._take_chunk()))
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            self._put(b'{"event":"log_lines_dropped","count":%d}\n' % dropped)

    def _put(self, chunk: bytes) -> None:
        """Write all of a chunk. A descriptor that is closed or broken takes nothing."""
        rest = memoryview(chunk)
        while rest:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:
                if not select.select([], [self._fd], [], STUCK_S)[1] and self._is_closing.is_set():
                    return
            except OSError:
                return


def can_write(fd: int, patience_s: float = 0.0) -> bool:
    """Tell whether a descriptor takes a few bytes now, or soon; one that is broken never does."""
    try:
        return bool(select.select([], [fd], [], patience_s)[1])
    except (OSError, ValueError):
        return False


def _is_file(fd: int) -> bool:
    try:
        return stat.S_ISREG(os.fstat(fd).st_mode)
    except OSError:  # closed: nothing can be written, and that is no reason not to serve
        return False
