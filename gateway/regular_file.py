"""Safe reads of files that settings name: regular files only, up to a size limit.

A configured path may be a device or a pipe: `/dev/full` never ends, and opening a pipe without a
writer blocks for ever.
"""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_regular(path: Path, max_bytes: int) -> BinaryIO:
    """Open a regular file for reading.

    Raises:
        OSError: it is not a regular file, is larger than `max_bytes`, or cannot be opened.
    """
    _check(path, path.stat(), max_bytes)  # before opening: opening a device may have side effects
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        _check(path, os.fstat(fd), max_bytes)
    except BaseException:
        os.close(fd)
        raise
    return os.fdopen(fd, "rb")


def read_regular(path: Path, max_bytes: int) -> bytes:
    """Return the contents of a regular file.

    Raises:
        OSError: as `open_regular`, or it grows beyond `max_bytes` while it is read.
    """
    with open_regular(path, max_bytes) as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise _too_large(path, max_bytes)
    return data


def _check(path: Path, status: os.stat_result, max_bytes: int) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
    if status.st_size > max_bytes:
        raise _too_large(path, max_bytes)


def _too_large(path: Path, max_bytes: int) -> OSError:
    return OSError(errno.EFBIG, f"Larger than {max_bytes} bytes", str(path))
