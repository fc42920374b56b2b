"""The models of the policies, on traces whose hits can be counted by hand."""

import pytest

from gateway.cache.policies import (
    POLICIES,
    Asked,
    Lru,
    MidpointLru,
    Policy,
    Rates,
    S3FifoPolicy,
    SecondHitLru,
    footprint,
    replay,
)


def trace_of(text: str, size: int = 1) -> list[Asked]:
    return [Asked(letter.encode(), size) for letter in text]


def hits(policy: Policy, text: str) -> str:
    """Return the letters that were there."""
    return "".join(asked.key.decode() for asked in trace_of(text) if policy.ask(asked))


def test_lru_drops_the_longest_unused() -> None:
    assert hits(Lru(2), "abacab") == "aa"


def test_the_midpoint_keeps_what_came_twice_from_a_scan() -> None:
    assert hits(MidpointLru(10), "aa" + "bcdefghijklmno" + "a") == "aa"
    assert hits(Lru(10), "aa" + "bcdefghijklmno" + "a") == "a"


def test_the_midpoint_lets_cold_things_go_in_the_end() -> None:
    assert hits(MidpointLru(2), "aabbccdd" + "a") == "abcd"


def test_second_hits_are_kept() -> None:
    assert hits(SecondHitLru(10), "aaab") == "a"


def test_the_memory_tier_keeps_what_is_asked_for_thrice() -> None:
    assert hits(S3FifoPolicy(10), "aaa" + "bcdefghijklmno" + "a") == "aaa"


@pytest.mark.parametrize("name", POLICIES)
def test_what_is_larger_than_the_cache_is_not_kept(name: str) -> None:
    assert replay(POLICIES[name](5), trace_of("aaaa", 6)) == Rates(0.0, 0.0)


@pytest.mark.parametrize("name", POLICIES)
def test_nothing_asked_nothing_hit(name: str) -> None:
    assert replay(POLICIES[name](5), []) == Rates(0.0, 0.0)


def test_rates_are_of_requests_and_of_bytes() -> None:
    trace = [Asked(b"a", 10), Asked(b"a", 10), Asked(b"b", 80), Asked(b"c", 0)]
    assert replay(Lru(100), trace) == Rates(0.25, 0.1)
    assert footprint(trace) == 90
