"""Which blocks the disk tier takes at all."""

from typing import Final

from gateway.cache.disk.presence_filter import PresenceFilter

ALL: Final = "all"
SECOND_HIT: Final = "second-hit"
"""The words of `cache.disk_admission`."""


class SecondHit:
    """Admits a block when it is kept for the second time: half of all content is not written.

    Remembers about a million blocks, in 4 MiB. Belongs to the event loop.
    """

    def __init__(self) -> None:
        self._seen = PresenceFilter()

    def admits(self, key: bytes) -> bool:
        """Tell whether a block, by multihash, was kept before; remember that it was now."""
        if key in self._seen:
            return True
        self._seen.add(key)
        return False
