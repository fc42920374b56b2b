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
CLOSE_S: Final = 2.0  # how long the end of a process waits for a reader that is stuck


class LineWriter:
    """Collects lines and writes them in order, whole, a tenth of a second later.

    `write` never blocks. When the reader of the descriptor is stuck, lines are kept up to a bound,
    then dropped and counted.
    """

    def __init__(self, fd: int, max_pending: int = MAX_PENDING_LINES) -> None:
        self._fd = fd
        self._max_pending = max_pending
        is_file = stat.S_ISREG(os.fstat(fd).st_mode)
        self._chunk_bytes = FILE_CHUNK_BYTES if is_file else PIPE_BUF
        self._lines: deque[bytes] = deque()
        self._dropped = 0
        self._starting = threading.Lock()
        self._writing = threading.Lock()
        self._is_wanted = threading.Event()
        self._is_closing = threading.Event()
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
        """Return when every line taken before is written, or cannot be."""
        with self._writing:
            while self._lines:
                self._put(b"".join(self._take_chunk()))
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                self._put(b'{"event":"log_lines_dropped","count":%d}\n' % dropped)

    def close(self) -> None:
        """Write what is left, unless the reader is stuck. Later lines are written, too."""
        self._is_closing.set()
        self._is_wanted.set()
        if self._thread is not None:
            self._thread.join(CLOSE_S)
            if self._thread.is_alive():
                return
            self._thread = None
        self.flush()
        self._is_closing.clear()
        self._is_wanted.clear()

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
            self._is_closing.wait(FLUSH_EVERY_S)
            self._is_wanted.clear()
            self.flush()

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
