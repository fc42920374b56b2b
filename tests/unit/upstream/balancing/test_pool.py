"""The books of upstreams."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import BlockMismatch, UpstreamRefused, UpstreamUnreachable
from gateway.ports import Choice, Place
from gateway.settings import SelectionSettings, UpstreamSettings
from gateway.upstream.balancing import pool as module
from gateway.upstream.balancing.pool import DEFAULT_POLICY, UpstreamCall, UpstreamPool
from tests.fakes.clock import FakeClock
from tests.fakes.observer import RecordingObserver

NEAR = UpstreamSettings(
    name="near", url="http://near:8080", tier="cluster", country="SE", latitude=59, longitude=18
)
FAR = UpstreamSettings(name="far", url="https://far", country="JP", latitude=35, longitude=139)
SWEDEN = Place("SE", "EU", 59.0, 18.0)


class Bench:
    """A pool with what it is connected to."""

    def __init__(
        self, *upstreams: UpstreamSettings, policy: SelectionSettings = DEFAULT_POLICY
    ) -> None:
        self.clock = FakeClock()
        self.observer = RecordingObserver()
        self.pool = UpstreamPool(upstreams or (NEAR, FAR), self.clock, self.observer, policy)

    def ask(self, name: str = "near", step: str = "car") -> UpstreamCall:
        return self.pool.ask(Choice(name, "first"), step)

    def row(self, name: str = "near") -> dict[str, Any]:
        return next(row for row in self.pool.rows() if row["name"] == name)


@pytest.fixture(name="bench")
def bench_fixture() -> Bench:
    return Bench()


def test_choice_knows_place_and_tier(bench: Bench) -> None:
    choice = bench.pool.choose(SWEDEN)
    assert choice == Choice("near", "tier", 0.0, None)


def test_who_has_left_may_be_asked_by_a_request_that_chose_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """issue 12, 12: the next step of that request was a KeyError."""
    monkeypatch.setattr(module, "MAX_GONE", 2)
    nodes = [UpstreamSettings(name=f"n{n}", url="http://n", tier="cluster") for n in range(3)]
    bench.pool.set_discovered(nodes)
    bench.pool.set_discovered([])
    assert (bench.pool.tier("n1"), bench.pool.is_block_wise("n2")) == ("cluster", False)
    bench.ask("n2").close()
    assert {row["name"] for row in bench.pool.rows()} == {"near", "far"}
    with pytest.raises(KeyError, match="n0"):  # bounded
        bench.pool.tier("n0")


def test_a_stranger_that_made_room_may_be_asked_by_a_request_that_chose_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """issue 12, 12."""
    monkeypatch.setattr(module, "MAX_ROUTED", 1)
    for name in ("one", "two"):
        bench.pool.add_routed([UpstreamSettings(name=name, url="http://n", tier="routed")])
    assert bench.pool.is_sound("one")
    assert bench.pool.choose(None, ("near", "far"), ("one",)) is None


def test_requests_under_way_make_an_upstream_look_slower() -> None:
    bench = Bench(FAR, UpstreamSettings(name="other", url="https://other"))
    for name in ("far", "other"):
        exchange = bench.ask(name)
        bench.clock.advance(0.1)
        exchange.delivered()
        exchange.close()
        bench.clock.advance(0.1)
    bench.ask("far")
    bench.ask("far")
    choice = bench.pool.choose(None)
    assert choice is not None
    assert (choice.upstream, choice.reason) == ("other", "fastest")


def test_one_choice_in_a_hundred_measures_another(bench: Bench) -> None:
    other = UpstreamSettings(name="other", url="https://other")
    bench = Bench(FAR, other)
    chosen = [choice.upstream for _ in range(200) if (choice := bench.pool.choose(None))]
    assert chosen.count("other") == 2
    assert chosen[99] == "other"


def test_pinned_clients_are_served_from_their_region() -> None:
    bench = Bench(policy=SelectionSettings(pins=("country:SE",)))
    assert bench.pool.choose(SWEDEN, {"near"}) is None
    choice = bench.pool.choose(Place("JP"), {"near"})
    assert choice is not None
    assert choice.upstream == "far"


def test_a_new_pool_has_empty_rows(bench: Bench) -> None:
    assert bench.row() == {
        "name": "near",
        "url": "http://near:8080",
        "tier": "cluster",
        "country": "SE",
        "state": "healthy",
        "reason": "",
        "problem": "",
        "ttfb_ms": None,
        "in_flight": 0,
        "requests": 0,
        "failures": {},
        "share": 0.0,
        "bytes": 0,
        "budget_left": None,
    }


def test_an_exchange_is_booked(bench: Bench) -> None:
    bench.ask("far").close()
    exchange = bench.ask()
    exchange.received(1000)
    assert bench.row()["in_flight"] == 1
    bench.clock.advance(0.25)
    exchange.delivered()
    bench.clock.advance(9)
    exchange.delivered()
    exchange.close()
    row = bench.row()
    assert (row["requests"], row["share"], row["bytes"], row["in_flight"]) == (1, 0.5, 1000, 0)
    assert bench.observer.upstream[1:] == [
        ("asked", Choice("near", "first"), "car"),
        ("received", "near", 1000),
        ("answered", "near", "car", 0.25),
    ]


def test_a_failure_is_told_with_its_kind(bench: Bench) -> None:
    exchange = bench.ask()
    exchange.failed(UpstreamUnreachable("near", "takes no connection"))
    exchange.close()
    assert bench.row()["failures"] == {"unreachable": 1}
    assert bench.observer.upstream[-1] == (
        "failed",
        "near",
        "car",
        "unreachable",
        "takes no connection",
    )


def test_a_request_that_brought_something_and_failed_is_no_success(bench: Bench) -> None:
    for _ in range(5):
        exchange = bench.ask()
        exchange.delivered()
        exchange.failed(UpstreamUnreachable("near", "broke the connection"))
        exchange.close()
    assert bench.row()["state"] == "ejected"


def test_a_request_that_was_given_up_is_neither(bench: Bench) -> None:
    for _ in range(4):
        bench.ask().failed(UpstreamUnreachable("near", "takes no connection"))
    bench.ask().close()
    bench.ask().failed(UpstreamUnreachable("near", "takes no connection"))
    assert bench.row()["state"] == "ejected"


def test_ejection_and_return_are_told_once(bench: Bench) -> None:
    bench.ask().failed(BlockMismatch("cid", "near"))
    bench.ask().failed(BlockMismatch("cid", "near"))
    assert (bench.row()["state"], bench.row()["reason"]) == ("ejected", "mismatch")
    bench.clock.advance(31)
    bench.ask()
    bench.ask()
    states = [event for event in bench.observer.upstream if event[0] == "state"]
    assert states == [
        ("state", "near", "ejected", "mismatch"),
        ("state", "near", "healthy", "time-is-over"),
    ]


def test_after_an_ejection_one_request_tries_alone() -> None:
    bench = Bench(FAR, UpstreamSettings(name="other", url="https://other"))
    lie = bench.ask("far")
    lie.failed(BlockMismatch("cid", "far"))
    lie.close()
    bench.clock.advance(31)
    names = []
    for _ in range(3):
        choice = bench.pool.choose(None)
        assert choice is not None
        names.append(choice.upstream)
        bench.pool.ask(choice, "raw")
    assert names == ["far", "other", "other"]


def test_the_end_of_the_one_that_tries_lets_others_come() -> None:
    """issue 12, 33: its first block did, and who cuts every body had all requests again."""
    bench = Bench(FAR)
    bench.ask("far").failed(BlockMismatch("cid", "far"))
    bench.clock.advance(31)
    probe = bench.ask("far")
    probe.delivered()
    assert [c.reason for c in [bench.pool.choose(None)] if c] == ["least-bad"]
    probe.close()
    assert [c.reason for c in [bench.pool.choose(None)] if c] == ["only"]


def test_a_try_that_is_given_up_lets_the_next_come() -> None:
    bench = Bench(FAR)
    bench.ask("far").failed(BlockMismatch("cid", "far"))
    bench.clock.advance(31)
    bench.ask("far").close()
    assert [c.reason for c in [bench.pool.choose(None)] if c] == ["only"]


def test_an_upstream_that_asked_to_wait_is_held(bench: Bench) -> None:
    bench.ask().failed(UpstreamRefused("near", "answered with status 429", 429, 60.0))
    bench.clock.advance(10)
    assert bench.row()["state"] == "backing-off"
    assert bench.pool.held() == {"near": pytest.approx(50)}
    assert bench.pool.held(exclude={"near"}) == {}
    choice = bench.pool.choose(SWEDEN)
    assert choice is not None
    assert choice.upstream == "far"


def test_a_budget_that_is_used_up_sends_requests_elsewhere() -> None:
    metered = replace(FAR, requests="10/minute")
    bench = Bench(metered, UpstreamSettings(name="other", url="https://other"))
    bench.ask("far").close()
    assert bench.row("far")["budget_left"] == 0
    assert bench.pool.spent() == {"far": pytest.approx(6)}
    assert bench.pool.spent(exclude={"far"}) == {}
    choice = bench.pool.choose(None)
    assert choice is not None
    assert choice.upstream == "other"


def test_strangers_are_chosen_only_for_what_they_are_said_to_have(bench: Bench) -> None:
    stranger = UpstreamSettings(name="provider-x", url="https://x", tier="routed")
    assert list(bench.pool.add_routed([stranger])) == ["provider-x"]
    assert bench.pool.choose(None, {"near", "far"}) is None
    choice = bench.pool.choose(None, {"near", "far"}, {"provider-x"})
    assert choice is not None
    bench.pool.ask(choice, "raw").failed(UpstreamUnreachable("provider-x", "is gone"))
    assert bench.observer.upstream[-1] == ("failed", "routed", "raw", "unreachable", "is gone")


def test_strangers_are_remembered_with_their_health_and_not_for_ever(bench: Bench) -> None:
    def add(number: int) -> None:
        name = f"provider-{number}"
        bench.pool.add_routed([UpstreamSettings(name=name, url="https://x", tier="routed")])

    add(0)
    bench.pool.ask(Choice("provider-0", "holder"), "raw").failed(BlockMismatch("c", "x"))
    add(0)
    choice = bench.pool.choose(None, {"near", "far"}, {"provider-0"})
    assert choice is not None
    assert choice.reason == "least-bad"
    for number in range(1, 65):
        add(number)
    assert bench.pool.choose(None, {"near", "far"}, {"provider-0"}) is None


def test_asking_for_blocks_only_ends(bench: Bench) -> None:
    assert not bench.pool.is_block_wise("near")
    bench.pool.go_block_wise("near", 60)
    assert bench.pool.is_block_wise("near")
    bench.clock.advance(60)
    assert not bench.pool.is_block_wise("near")


def test_a_record_that_came_lets_others_come_but_tells_no_speed() -> None:
    bench = Bench(FAR)
    bench.ask("far").failed(BlockMismatch("cid", "far"))
    bench.clock.advance(31)
    probe = bench.ask("far", "record")
    bench.clock.advance(20)
    probe.delivered()
    probe.close()
    assert [c.reason for c in [bench.pool.choose(None)] if c] == ["only"]
    assert bench.row("far")["ttfb_ms"] is None


def test_tier_of_an_upstream(bench: Bench) -> None:
    assert (bench.pool.tier("near"), bench.pool.tier("far")) == ("cluster", "public")
