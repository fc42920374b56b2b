"""One upstream as selection, operators and metrics see it."""

from gateway.content.block import identity_block
from gateway.settings import UpstreamSettings
from gateway.upstream.balancing.member import Member, candidate_of, row_of
from gateway.upstream.balancing.selection import Candidate
from gateway.upstream.transport.client import PROBE
from tests.fakes.blocks import block_of, numbered

NOW = 1000.0
NODE = UpstreamSettings(
    name="node",
    url="http://node",
    tier="cluster",
    country="SE",
    continent="EU",
    latitude=59.0,
    longitude=18.0,
    concurrency=4,
)


def test_selection_sees_place_speed_and_load() -> None:
    member = Member(NODE)
    member.health.in_flight = 2
    member.health.measured(0.25, NOW)
    assert candidate_of(member, NOW) == Candidate(
        "node",
        "cluster",
        "SE",
        59.0,
        18.0,
        "EU",
        ttfb_s=0.25,
        measured_at=NOW,
        in_flight=2,
        concurrency=4,
    )


def test_selection_sees_what_it_must_wait_for() -> None:
    member = Member(UpstreamSettings(name="x", url="http://x", requests="10/minute"))
    member.quota.take(NOW)
    assert candidate_of(member, NOW).held_until == NOW + 6
    member.health.held_until = NOW + 60
    assert candidate_of(member, NOW).held_until == NOW + 60


def test_operators_see_a_share_of_all_requests() -> None:
    member = Member(NODE)
    member.health.requests = 1
    assert row_of(member, NOW, 4)["share"] == 0.25
    assert row_of(member, NOW, 0)["share"] == 0.0


def test_strangers_share_a_label() -> None:
    assert Member(NODE).label == "node"
    assert Member(UpstreamSettings(name="p", url="http://p", tier="routed")).label == "routed"


def test_the_newest_small_block_is_what_probes_ask_for() -> None:
    """issue 12, 33."""
    member = Member(NODE)
    large, larger = numbered(1, 100_000), numbered(2, 200_000)
    small, newer = numbered(3, 1000), numbered(4, 2000)
    told = []
    for block in (
        block_of(b"tiny"),
        identity_block(PROBE),
        larger,
        large,
        larger,
        small,
        large,
        newer,
    ):
        member.has_served(block)
        told.append(member.served)
    assert told == [None, None, larger.cid, large.cid, large.cid, small.cid, small.cid, newer.cid]
