"""A request record to change a field or two of."""

from gateway.ops.record import CacheState, RequestKind, RequestRecord

RECORD = RequestRecord(
    started=1_700_000_000.25,
    client="192.0.2.1",
    method="GET",
    target=b"/ipfs/bafkqaaa/a.html?x=1",
    status=200,
    kind=RequestKind.FILE,
    cache=CacheState.HIT,
    tier="memory",
    size_bytes=1000,
    duration_s=0.2,
    ttfb_s=0.002,
    root="bafkqaaa",
    request_id="0123456789abcdef",
    user_agent=b"curl/8.5.0",
    referer=b"https://example.com/",
)
