"""Advisory locks between the processes that share a cache directory.

`flock`, because the kernel gives it back when its holder dies, however it dies.
"""

import errno
import fcntl
import os
from types import TracebackType
from typing import Self

_BUSY = frozenset({errno.EWOULDBLOCK, errno.EACCES, errno.EINTR})


def lock_descriptor(fd: int) -> bool:
    """Take the exclusive lock on an open file or folder, if nobody has it.

    File systems without `flock` (some network ones) count as "nobody has it": everything that is
    locked here is also safe, only slower or untidier, when two processes do it at once.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        return exc.errno not in _BUSY
    return True


class FileLock:
    """One lock, named by its file, held by at most one process (and one object in it)."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd: int | None = None

    def acquire(self) -> bool:
        """Take the lock without waiting; tell whether it is held now.

        Raises:
            OSError: the lock file cannot be made.
        """
        if self._fd is not None:
            return True
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(self._path, flags, 0o600)
        try:
            # A file that was deleted in between locks out nobody.
            if lock_descriptor(fd) and os.fstat(fd).st_nlink:
                self._fd, fd = fd, -1
        finally:
            if fd >= 0:
                os.close(fd)
        return self._fd is not None

    def release(self) -> None:
        """Give the lock back, if it is held."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
