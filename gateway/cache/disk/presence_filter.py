"""What is probably on the disk, without asking the disk.

Two Bloom filters in turn: keys go into the young one, both are asked, and when the young one has
`TURN_KEYS` keys it becomes the old one. So keys that nobody touched for one to two turns are
forgotten, evicted ones with them, and the share of false answers stays bounded.
"""

from typing import Final

from gateway.ports import MissReason

FILTER_BITS: Final = 1 << 24
"""2 MiB a filter; with `TURN_KEYS` keys and 3 probes 0.5 % of the answers are false."""
TURN_KEYS: Final = 1 << 20

MAX_GONE: Final = 1 << 16
"""Keys that are known to be gone although the filters have them; with more, all is forgotten."""

_MASK: Final = FILTER_BITS - 1


class PresenceFilter:
    """Keys that were seen on the disk: rarely wrong when it says yes, forgetful when full.

    Keys must end in at least 9 bytes of a digest, as multihashes do: they are their own hash.
    Belongs to the thread of the event loop.
    """

    def __init__(self) -> None:
        self._young = bytearray(FILTER_BITS // 8)
        self._old = bytearray(FILTER_BITS // 8)
        self._count = 0
        self._gone: set[bytes] = set()

    def __contains__(self, key: bytes) -> bool:
        if key in self._gone:
            return False
        number = int.from_bytes(key[-9:], "little")
        a, b, c = number & _MASK, number >> 24 & _MASK, number >> 48 & _MASK
        i, j, k = a >> 3, b >> 3, c >> 3
        a, b, c = a & 7, b & 7, c & 7
        new, old = self._young, self._old  # no loop: asked for every leaf of every file
        return bool(new[i] >> a & new[j] >> b & new[k] >> c & 1) or bool(
            old[i] >> a & old[j] >> b & old[k] >> c & 1
        )

    def why_missed(self, key: bytes) -> MissReason:
        """Return what is known of a key that is not on the disk."""
        if key in self._gone:
            return MissReason.PURGED
        return MissReason.EVICTED if key in self else MissReason.ABSENT

    def add(self, key: bytes) -> None:
        """Remember a key."""
        self._gone.discard(key)
        number = int.from_bytes(key[-9:], "little")
        bits = self._young
        is_new = False
        for bit in (number & _MASK, number >> 24 & _MASK, number >> 48 & _MASK):
            mask = 1 << (bit & 7)
            if not bits[bit >> 3] & mask:
                bits[bit >> 3] |= mask
                is_new = True
        self._count += is_new
        if self._count >= TURN_KEYS:
            self._old, self._young = bits, bytearray(FILTER_BITS // 8)
            self._count = 0

    def discard(self, key: bytes) -> None:
        """Forget a key that was taken out."""
        self._gone.add(key)
        if len(self._gone) > MAX_GONE:
            self.clear()

    def clear(self) -> None:
        """Forget everything; finds and scans will tell again what is there."""
        self._young, self._old = bytearray(FILTER_BITS // 8), bytearray(FILTER_BITS // 8)
        self._count = 0
        self._gone.clear()
