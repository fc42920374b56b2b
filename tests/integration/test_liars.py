"""Upstreams that lie, in front of a real gateway process: never a wrong byte, always a reason."""

import asyncio
from pathlib import Path

import pytest

from gateway.content.block import Block
from gateway.content.build import Profile, build_file, collect
from tests.fakes import lies
from tests.fakes.lying_upstream import Behaviour, LyingUpstream
from tests.integration.conftest import KIB, Gateway, gateway

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60), pytest.mark.xdist_group("liars")]

PROFILE = Profile(chunk_bytes=64 * KIB, max_links=4, raw_leaves=True, cid_version=1)
TIMEOUTS = '[retrieval]\nfirst_byte_timeout = "500ms"\nidle_timeout = "500ms"\n'
LIES: dict[str, Behaviour] = {
    "flipped-bit": lies.flip(),
    "other-block": lies.swap(),
    "one-byte-more": lies.extend(),
    "one-byte-less": lies.shorten(),
    "html-page": lies.html,
    "html-type": lies.wrong_type,
    "endless-body": lies.endless,
    "announces-10-gb": lies.announce_10_gb,
    "missing-leaf": lies.omit(1),
    "drip": lies.drip_body,
    "drip-head": lies.drip_head,
    "interim-answers": lies.interim,
    "garbage": lies.garbage,
    "gzip": lies.gzip,
    "redirect": lies.redirect,
    "car-v2": lies.car_v2,
    "stall": lies.stall(),
    "silence": lies.silent,
    "hang-up": lies.hang_up,
    "server-error": lies.status("500 Internal Server Error"),
}
LATER_LIES: dict[str, Behaviour] = {
    "flipped-bit": lies.flip(3),
    "missing-leaf": lies.omit(3),
    "reset": lies.reset(3),
    "stall": lies.stall(3),
}


def _file(seed: str) -> tuple[bytes, str, list[Block]]:
    """Return a file of eleven blocks that no other test has."""
    data = (seed.encode() * (500 * KIB))[: 500 * KIB]
    built, blocks = collect(build_file(data, PROFILE))
    return data, f"/ipfs/{built.cid}", blocks


async def _get(running: Gateway, path: str) -> tuple[int, bytes]:
    answer = await asyncio.to_thread(running.get, path)
    return answer.status, answer.body


@pytest.mark.parametrize("lie", LIES)
async def test_a_liar_alone_is_named_and_nothing_is_kept(folder: Path, lie: str) -> None:
    _, path, blocks = _file(lie)
    async with LyingUpstream(blocks, LIES[lie]) as liar:
        with gateway(folder, liar.settings.url, extra=TIMEOUTS) as running:
            status, body = await _get(running, path)
            kept = await asyncio.to_thread(running.api, "cache")
    # A first leaf that its only upstream says it lacks is absent (issue 12, 17).
    assert status in ((404,) if lie == "missing-leaf" else (502, 504))
    assert b"upstream-0" in body
    # A liar may tell the truth about the root and lie about what is below it.
    assert kept["blocks"] <= (lie == "missing-leaf")


@pytest.mark.parametrize(
    "lie", [pytest.param(lies.omit(0), id="no-root"), pytest.param(lies.header_only, id="header")]
)
async def test_an_upstream_that_has_no_root_is_named_in_a_404(folder: Path, lie: Behaviour) -> None:
    _, path, blocks = _file("absent")
    async with LyingUpstream(blocks, lie) as liar:
        with gateway(folder, liar.settings.url, extra=TIMEOUTS) as running:
            status, body = await _get(running, path)
    assert status == 404
    assert b"upstream-0" in body


async def test_a_small_car_in_the_wrong_order_is_put_right(folder: Path) -> None:
    data, path, blocks = _file("backwards")
    async with LyingUpstream(blocks, lies.backwards) as liar:
        with gateway(folder, liar.settings.url, extra=TIMEOUTS) as running:
            status, body = await _get(running, path)
    assert (status, body) == (200, data[: len(body)])


@pytest.mark.parametrize("lie", LIES)
async def test_a_liar_beside_an_honest_upstream_is_not_felt(folder: Path, lie: str) -> None:
    data, path, blocks = _file(lie)
    await _check_beside_honest(folder, LIES[lie], data, path, blocks)


@pytest.mark.parametrize("lie", LATER_LIES)
async def test_a_lie_in_mid_body_is_not_felt(folder: Path, lie: str) -> None:
    data, path, blocks = _file(lie)
    await _check_beside_honest(folder, LATER_LIES[lie], data, path, blocks)


async def _check_beside_honest(
    folder: Path, lie: Behaviour, data: bytes, path: str, blocks: list[Block]
) -> None:
    async with LyingUpstream(blocks, lie) as liar, LyingUpstream(blocks) as honest:
        urls = (liar.settings.url, honest.settings.url)
        with gateway(folder, *urls, extra=TIMEOUTS) as running:
            cold = await asyncio.to_thread(running.get, path)
            warm = await asyncio.to_thread(running.get, path)
    assert liar.log
    assert (cold.status, cold.size, cold.sha256) == (200, len(data), warm.sha256)
    assert cold.body == data[: len(cold.body)]
