"""Ports: the interfaces (Protocols) between the core and the outside world.

    world     clock, GeoIP, addresses of hosts
    blocks    block cache, and retrieval of the blocks of a request
    upkeep    purges and pins
    names     resolution of names
    watch     events for metrics and logs, and admission control
    denials   denylist

`gateway.wiring` provides the implementations; the fakes in `tests/fakes` pass the same contract
tests as the real ones.
"""

from gateway.ports.blocks import (
    BlockSource,
    BlockStore,
    Choice,
    MissReason,
    RetrievalTrace,
    Retriever,
    Tier,
)
from gateway.ports.denials import Denials
from gateway.ports.names import (
    DnsOverHttps,
    Hop,
    HostAnswer,
    NameRecord,
    NameResolver,
    RecordSource,
    Resolution,
)
from gateway.ports.upkeep import BlockControl, PinRow, PinState, Purged
from gateway.ports.watch import Admission, Observer, Rejection
from gateway.ports.world import Clock, GeoLookup, HostResolver, Place

__all__ = [
    "Admission",
    "BlockControl",
    "BlockSource",
    "BlockStore",
    "Choice",
    "Clock",
    "Denials",
    "DnsOverHttps",
    "GeoLookup",
    "Hop",
    "HostAnswer",
    "HostResolver",
    "MissReason",
    "NameRecord",
    "NameResolver",
    "Observer",
    "PinRow",
    "PinState",
    "Place",
    "Purged",
    "RecordSource",
    "Rejection",
    "Resolution",
    "RetrievalTrace",
    "Retriever",
    "Tier",
]
