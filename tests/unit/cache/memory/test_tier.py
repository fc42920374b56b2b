"""The memory tier: S3-FIFO by bytes, checked against a simulator and a state machine."""

import random
import tracemalloc

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.cache.memory.tier import ENTRY_BYTES, MemoryTier
from gateway.cache.states import EvictionReason
from gateway.content.block import Block
from gateway.content.cid import DAG_PB, RAW
from gateway.ports import Tier
from tests.fakes.blocks import alias, block_of, numbered
from tests.fakes.observer import RecordingObserver

SIZE = 360
COST = SIZE + ENTRY_BYTES


@pytest.fixture(name="observer")
def observer_fixture() -> RecordingObserver:
    return RecordingObserver()


def tier_of(blocks: int, observer: RecordingObserver | None = None) -> MemoryTier:
    return MemoryTier(blocks * COST, observer or RecordingObserver())


def kept(tier: MemoryTier, numbers: range) -> list[int]:
    return [n for n in numbers if tier.has(numbered(n, SIZE).cid)]


def test_finds_what_was_put() -> None:
    tier = tier_of(1)
    block = numbered(1, SIZE)
    tier.put(block)
    assert tier.find(block.cid) is block


def test_finds_nothing_that_was_not_put() -> None:
    assert tier_of(1).find(numbered(1, SIZE).cid) is None


def test_finds_a_block_under_every_cid_of_its_multihash() -> None:
    tier = tier_of(1)
    block = block_of(b"x", RAW)
    tier.put(block)
    found = tier.find(alias(block.cid, DAG_PB))
    assert found is not None
    assert (found.cid.codec, found.data) == (DAG_PB, b"x")


def test_evicts_nothing_while_there_is_room(observer: RecordingObserver) -> None:
    tier = tier_of(100, observer)
    for number in range(100):
        tier.put(numbered(number, SIZE))
    assert (len(tier), tier.size_bytes) == (100, 100 * COST)
    assert not observer.evicted


def test_evicts_the_first_that_was_not_asked_for_again(observer: RecordingObserver) -> None:
    tier = tier_of(10, observer)
    for number in range(11):
        tier.put(numbered(number, SIZE))
    assert kept(tier, range(11)) == list(range(1, 11))
    assert observer.evicted == {(Tier.MEMORY, EvictionReason.CAPACITY): 1}
    assert observer.evicted_bytes == SIZE


def test_a_scan_does_not_push_out_what_is_asked_for() -> None:
    tier = tier_of(10)
    popular = [numbered(n, SIZE) for n in range(5)]
    for block in popular:
        tier.put(block)
        tier.find(block.cid)
        tier.find(block.cid)
    for number in range(100, 1100):
        tier.put(numbered(number, SIZE))
    assert kept(tier, range(5)) == [0, 1, 2, 3, 4]


def test_a_block_that_comes_back_soon_goes_to_the_main_queue() -> None:
    tier = tier_of(10)
    for number in range(11):  # 0 is evicted, and remembered
        tier.put(numbered(number, SIZE))
    tier.put(numbered(0, SIZE))
    for number in range(100, 109):
        tier.put(numbered(number, SIZE))
    assert tier.has(numbered(0, SIZE).cid)


def test_tells_once_a_turn_that_a_block_is_found_again() -> None:
    told: list[bytes] = []
    tier = MemoryTier(8 * COST, RecordingObserver(), told.append)
    block = numbered(0, SIZE)
    tier.put(block)
    tier.find(block.cid)
    assert told == []  # it was put in this turn
    tier.put(numbered(1, SIZE))  # a quarter of the capacity: the turn ends
    tier.find(block.cid)
    tier.find(block.cid)
    assert told == [block.cid.multihash]


@pytest.mark.parametrize(
    ("capacity", "is_kept"),
    [
        pytest.param(COST, True, id="just-fits"),
        pytest.param(COST - 1, False, id="a-byte-too-large"),
        pytest.param(0, False, id="tier-is-off"),
    ],
)
def test_keeps_no_block_that_is_larger_than_the_tier(capacity: int, *, is_kept: bool) -> None:
    tier = MemoryTier(capacity, RecordingObserver())
    block = numbered(0, SIZE)
    tier.put(block)
    assert tier.has(block.cid) is is_kept


def test_a_large_block_pushes_out_as_many_small_ones_as_it_needs() -> None:
    tier = tier_of(10)
    for number in range(10):
        tier.put(numbered(number, SIZE))
    tier.put(numbered(99, 5 * COST - ENTRY_BYTES))
    assert kept(tier, range(10)) == [5, 6, 7, 8, 9]
    assert tier.size_bytes == tier.capacity_bytes


def test_removes_one_block_and_its_bytes() -> None:
    tier = tier_of(2)
    block = numbered(0, SIZE)
    tier.put(block)
    tier.put(numbered(1, SIZE))
    assert tier.remove(block.cid.multihash)
    assert not tier.remove(block.cid.multihash)
    assert (len(tier), tier.size_bytes) == (1, COST)


def test_a_smaller_limit_holds_at_once_and_a_larger_one_makes_room() -> None:
    tier = tier_of(10)
    for number in range(10):
        tier.put(numbered(number, SIZE))
    tier.resize(4 * COST)
    assert (len(tier), tier.capacity_bytes) == (4, 4 * COST)
    tier.resize(10 * COST)
    for number in range(10, 16):
        tier.put(numbered(number, SIZE))
    assert len(tier) == 10


def test_clears_everything() -> None:
    tier = tier_of(5)
    for number in range(10):
        tier.put(numbered(number, SIZE))
    tier.clear()
    assert (len(tier), tier.size_bytes) == (0, 0)


def test_the_overhead_of_an_entry_is_not_understated() -> None:
    """With as many ghosts as there are entries, which is the most there can be."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tier = tier_of(2000)
        for number in range(5000):
            tier.put(numbered(number, SIZE))
        used = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert used <= tier.size_bytes


def zipf(count: int, length: int, seed: int) -> list[int]:
    weights = [1 / (rank + 1) for rank in range(count)]
    return random.Random(seed).choices(range(count), weights, k=length)  # noqa: S311 (a trace)


def hit_ratio(tier: MemoryTier, trace: list[int]) -> float:
    blocks = {number: numbered(number, SIZE) for number in set(trace)}
    hits = 0
    for number in trace:
        if tier.find(blocks[number].cid):
            hits += 1
        else:
            tier.put(blocks[number])
    return hits / len(trace)


def oracle_hit_ratio(capacity: int, trace: list[int]) -> float:
    libcachesim = pytest.importorskip("libcachesim", reason="the simulator is not installed")
    cache = libcachesim.S3FIFO(cache_size=capacity)
    hits = 0
    for time, number in enumerate(trace):
        request = libcachesim.Request()
        request.obj_id, request.obj_size, request.clock_time = number, COST, time
        hits += cache.get(request)
    return hits / len(trace)


@pytest.mark.parametrize("share", [0.01, 0.1])
def test_hits_as_often_as_the_simulator(share: float) -> None:
    """Within one point: the simulator bounds its ghosts by bytes, we by their number."""
    trace = zipf(5000, 20_000, seed=7)
    blocks = int(5000 * share)
    ours = hit_ratio(tier_of(blocks), trace)
    assert ours == pytest.approx(oracle_hit_ratio(blocks * COST, trace), abs=0.01)


class MemoryMachine(RuleBasedStateMachine):
    """Whatever is done: never above the limit, exact bytes, and what was put comes back."""

    def __init__(self) -> None:
        super().__init__()
        self.observer = RecordingObserver()
        self.tier = MemoryTier(6 * COST, self.observer)
        self.put_blocks: dict[bytes, Block] = {}
        self.removed = 0

    @rule(number=st.integers(0, 20), size=st.sampled_from([8, SIZE, 3 * SIZE, 9 * COST]))
    def put(self, number: int, size: int) -> None:
        block = numbered(number, size)
        self.tier.put(block)
        self.put_blocks[block.cid.multihash] = block

    @rule(number=st.integers(0, 20), size=st.sampled_from([8, SIZE, 3 * SIZE, 9 * COST]))
    def find(self, number: int, size: int) -> None:
        cid = numbered(number, size).cid
        found = self.tier.find(cid)
        assert found is None or found == self.put_blocks[cid.multihash]
        assert (found is not None) == self.tier.has(cid)

    @rule(number=st.integers(0, 20))
    def remove(self, number: int) -> None:
        cid = numbered(number, SIZE).cid
        self.tier.remove(cid.multihash)
        assert self.tier.find(cid) is None

    @rule()
    def clear(self) -> None:
        self.tier.clear()

    @invariant()
    def bytes_are_exact_and_below_the_limit(self) -> None:
        present = [b for b in self.put_blocks.values() if self.tier.has(b.cid)]
        assert len(present) == len(self.tier)
        assert self.tier.size_bytes == sum(len(b.data) + ENTRY_BYTES for b in present)
        assert self.tier.size_bytes <= self.tier.capacity_bytes


TestMemoryMachine = MemoryMachine.TestCase
TestMemoryMachine.settings = settings(max_examples=40)  # of 50 steps
