"""Every seam to the outside.

    world     time, and where addresses are
    blocks    blocks that are kept, and those of a request
    upkeep    what operators want kept, or gone
    names     what names point to
    watch     who is told, and who may come in
    denials   what is not served

The core asks for these; `gateway.wiring` decides who answers, and the fakes in `tests/fakes`
are held to the same contract suites as the real ones.
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
