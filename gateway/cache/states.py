"""The words that the cache uses for what happened to a block or to itself."""

from enum import StrEnum
from typing import Final, NamedTuple

MIN_FILE_BYTES: Final = 16 * 1024
"""Blocks from this size on are files; smaller ones are rows of the index, where they do not
waste the rest of a file system block and an inode."""


class EvictionReason(StrEnum):
    """Why a block left a tier."""

    CAPACITY = "capacity"
    """The tier was full."""
    NO_SPACE = "no_space"
    """The file system was full although the tier was not."""


class IndexState(StrEnum):
    """What the index of the disk tier is doing."""

    OFF = "off"
    """There is no disk tier."""
    OPENING = "opening"
    """Nothing is known of the directory yet."""
    REBUILDING = "rebuilding"
    """It was lost, and the files are being entered again; all of them are served meanwhile."""
    CHECKING = "checking"
    """It is compared with the files, as after every start."""
    READY = "ready"
    UNAVAILABLE = "unavailable"
    """It cannot be used now (locked, read-only, disk full); files are served all the same."""


class DiskCondition(StrEnum):
    """The three words of the health endpoints."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


class DiskHealth(NamedTuple):
    """How the cache is, and why."""

    status: DiskCondition
    reason: str
