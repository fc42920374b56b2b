"""The key of the tags: a file outside of the cache directory, for the gateway's user alone.

Who can write to the cache directory can put any bytes there, but no tag that fits them.
"""

import os
import secrets
import stat
from pathlib import Path
from typing import Final

KEY_BYTES: Final = 32  # of keyed BLAKE3, which makes the key of each block
_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def load_key(path: Path) -> bytes:
    """Read the key; make one if there is none. All processes get the same.

    Raises:
        OSError: it cannot be read or made, is no key, or others can read or change it.
    """
    try:
        return _read(path)
    except FileNotFoundError:
        _make(path)
        return _read(path)


def _read(path: Path) -> bytes:
    fd = os.open(path, _FLAGS)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size != KEY_BYTES:
            raise OSError(f"{path} is not a key of {KEY_BYTES} bytes")
        if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise OSError(f"{path} can be used by others: chmod 600 it")
        if status.st_uid != os.geteuid():
            raise OSError(f"{path} belongs to another user")
        return os.read(fd, KEY_BYTES)
    finally:
        os.close(fd)


def _make(path: Path) -> None:
    """Make a key that is whole from its first moment on; another process may be faster."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, secrets.token_bytes(KEY_BYTES))
    finally:
        os.close(fd)
    try:
        os.link(unfinished, path)
    except FileExistsError:
        pass
    finally:
        unfinished.unlink()
