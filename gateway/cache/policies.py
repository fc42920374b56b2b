"""What a cache would have done: the policies of the tiers, and others, without any bytes.

Pure. Each policy is told what is asked for, one request after the other, and says whether it would
have had it.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from typing_extensions import override

from gateway.cache.disk.midpoint import COLD_SHARE
from gateway.cache.memory.s3fifo import Entry, S3Fifo


class Asked(NamedTuple):
    """One request of a trace."""

    key: bytes
    size: int
    """Bytes that a cache needs to keep it."""


class Policy(Protocol):
    """One cache of a certain size."""

    def ask(self, asked: Asked) -> bool:
        """Tell whether it was there; it is from now on, if it is admitted."""
        ...


class Lru:
    """The longest unused goes first."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._size = 0
        self._sizes: OrderedDict[bytes, int] = OrderedDict()

    def ask(self, asked: Asked) -> bool:
        """See `Policy`."""
        if asked.key in self._sizes:
            self._sizes.move_to_end(asked.key)
            return True
        if asked.size <= self._capacity:
            self._sizes[asked.key] = asked.size
            self._size += asked.size
            while self._size > self._capacity:
                self._size -= self._sizes.popitem(last=False)[1]
        return False


class MidpointLru:
    """LRU in which new things begin near the cold end, as in `gateway.cache.disk.midpoint`."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._warm: OrderedDict[bytes, int] = OrderedDict()
        self._cold: OrderedDict[bytes, int] = OrderedDict()
        self._warm_size = self._cold_size = 0

    def ask(self, asked: Asked) -> bool:
        """See `Policy`."""
        key = asked.key
        if key in self._warm:
            self._warm.move_to_end(key)
            return True
        size = self._cold.pop(key, None)
        if size is not None:
            self._cold_size -= size
            self._warm[key] = size
            self._warm_size += size
        elif asked.size <= self._capacity:
            self._cold[key] = asked.size
            self._cold_size += asked.size
        self._balance()
        return size is not None

    def _balance(self) -> None:
        while self._warm_size * COLD_SHARE > self._capacity * (COLD_SHARE - 1):
            key, size = self._warm.popitem(last=False)
            self._warm_size -= size
            self._cold[key] = size
            self._cold_size += size
        while self._warm_size + self._cold_size > self._capacity:
            self._cold_size -= self._cold.popitem(last=False)[1]


class SecondHitLru(MidpointLru):
    """The disk tier with `disk_admission = "second-hit"`."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self._seen: set[bytes] = set()

    @override
    def ask(self, asked: Asked) -> bool:
        if asked.key in self._seen:
            return super().ask(asked)
        self._seen.add(asked.key)
        return False


class S3FifoPolicy:
    """The memory tier: the very queues that it has."""

    def __init__(self, capacity: int) -> None:
        self._queues: S3Fifo[None] = S3Fifo(capacity)

    def ask(self, asked: Asked) -> bool:
        """See `Policy`."""
        if self._queues.find(asked.key) is not None:
            return True
        if asked.size <= self._queues.capacity:
            self._queues.put(asked.key, Entry(None, asked.size))
        return False


POLICIES: Final[Mapping[str, Callable[[int], Policy]]] = {
    "memory tier (S3-FIFO)": S3FifoPolicy,
    "disk tier (midpoint LRU)": MidpointLru,
    "disk tier, second hit": SecondHitLru,
    "LRU": Lru,
}


class Rates(NamedTuple):
    """How often a cache would have hit."""

    requests: float
    """Part of the requests, 0 to 1."""
    bytes: float
    """Part of the bytes."""


def footprint(trace: Iterable[Asked]) -> int:
    """Return the bytes of everything in a trace, each thing once."""
    return sum({asked.key: asked.size for asked in trace}.values())


def replay(policy: Policy, trace: Sequence[Asked]) -> Rates:
    """Send a trace through a policy that has seen nothing yet."""
    hits = hit_bytes = total = 0
    for asked in trace:
        total += asked.size
        if policy.ask(asked):
            hits += 1
            hit_bytes += asked.size
    return Rates(hits / len(trace) if trace else 0.0, hit_bytes / total if total else 0.0)
