"""A short run: the upstreams of the benchmark fail as they are told to, and nothing is missed."""

import asyncio

import pytest

from benchmarks.amplification import (
    FAILING,
    MODES,
    USUAL,
    File,
    measure_bytes,
    measure_failing,
    measure_pause,
)
from benchmarks.data.content import MIB
from benchmarks.rig.trustless import Manner


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("mode", MODES)
def test_one_upstream_sends_each_byte_once(mode: str) -> None:
    assert asyncio.run(measure_bytes(mode, 1, File("short", 4 * MIB, USUAL))).is_held


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("manner", FAILING)
def test_the_requests_of_clients_are_not_passed_on_one_by_one(manner: Manner) -> None:
    """Issue 12, 24."""
    assert asyncio.run(measure_failing(manner, 50)).is_held


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_client_gets_all_of_a_file_whose_upstream_falls_silent() -> None:
    assert asyncio.run(measure_pause("car", 3)).measured.endswith("100% came")
