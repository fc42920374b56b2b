"""Every lie, in both modes: alone and beside one honest upstream.

Whatever an upstream does, no byte that is not verified is given or kept; beside an honest one every
answer is right; alone it gives an error that names it.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

import pytest

from gateway.errors import DeadlineExceeded, NotFound, RetrievalError, Unavailable, Unverifiable
from gateway.settings import RetrievalSettings
from gateway.upstream.retrieval.recent_failures import REST_S
from tests.fakes import lies
from tests.fakes.lying_upstream import Behaviour, LyingUpstream
from tests.fakes.upstream_kit import PATIENT, QUICK, Kit, Sample, sample

FILE: Final = sample(20_000)
MODES = ["car", "block"]


@dataclass(frozen=True)
class Case:
    """A lie and what it leads to when nobody else can be asked."""

    behaviour: Behaviour
    error: type[RetrievalError] | None = Unverifiable
    """None: the answer is right in spite of it."""
    is_ejected: bool = False
    block_error: type[RetrievalError] | None = Unverifiable
    """When blocks are asked for one by one, if that differs."""
    is_ejected_by_block: bool = False
    is_slow: bool = False

    def settings(self, mode: Literal["car", "block"]) -> RetrievalSettings:
        return replace(QUICK if self.is_slow else PATIENT, mode=mode)


def lie(behaviour: Behaviour) -> Case:
    """Bytes that are not what they should be eject at once."""
    return Case(behaviour, is_ejected=True, is_ejected_by_block=True)


def useless(behaviour: Behaviour) -> Case:
    return Case(behaviour, Unavailable, block_error=Unavailable)


def slow(behaviour: Behaviour) -> Case:
    return Case(behaviour, DeadlineExceeded, block_error=DeadlineExceeded, is_slow=True)


def absent(behaviour: Behaviour) -> Case:
    return Case(behaviour, NotFound, block_error=NotFound)


def harmless(behaviour: Behaviour) -> Case:
    return Case(behaviour, None, block_error=None)


CASES: Final = {
    "flip-first": lie(lies.flip(0)),
    "flip-second": lie(lies.flip(1)),
    "flip-leaf": lie(lies.flip(9)),
    "flip-last": lie(lies.flip(27)),
    "swap-first": lie(lies.swap(0)),
    "swap-leaf": lie(lies.swap(9)),
    "extend-first": lie(lies.extend(0)),
    "extend-leaf": lie(lies.extend(9)),
    "shorten-first": lie(lies.shorten(0)),
    "shorten-leaf": lie(lies.shorten(9)),
    "empty": lie(lies.empty),
    "garbage": lie(lies.garbage),
    "car-v2": lie(lies.car_v2),
    "html": useless(lies.html),
    "wrong-type": useless(lies.wrong_type),
    "redirect": useless(lies.redirect),
    "gzip": useless(lies.gzip),
    "truncated": useless(lies.truncate),
    "hang-up": useless(lies.hang_up),
    "interim": useless(lies.interim),
    "endless": Case(lies.endless, block_error=Unavailable),
    "many-headers": useless(lies.many_headers),
    "long-header": useless(lies.long_header),
    "two-lengths": useless(lies.two_lengths),
    "both-framings": useless(lies.length_and_chunks),
    "broken-chunks": useless(lies.broken_chunks),
    "reset-first": useless(lies.reset(0)),
    "reset-leaf": useless(lies.reset(9)),
    "400": useless(lies.status("400 Bad Request")),
    "403": useless(lies.status("403 Forbidden")),
    "418": useless(lies.status("418 I'm a teapot")),
    "203": useless(lies.status("203 Non-Authoritative Information")),
    "204": useless(lies.status("204 No Content")),
    "206": useless(lies.status("206 Partial Content")),
    "299": useless(lies.status("299 Odd")),
    "304": useless(lies.status("304 Not Modified")),
    "429": useless(lies.status("429 Too Many Requests")),
    "500": useless(lies.status("500 Internal Server Error")),
    "503": useless(lies.status("503 Service Unavailable", {"retry-after": "60"})),
    "504": slow(lies.status("504 Gateway Timeout")),
    "404": absent(lies.status("404 Not Found")),
    "410": absent(lies.status("410 Gone")),
    "451": absent(lies.status("451 Unavailable For Legal Reasons")),
    "header-only": absent(lies.header_only),
    "omit-root": absent(lies.omit(0)),
    "omit-node": absent(lies.omit(1)),
    "omit-leaf": absent(lies.omit(9)),
    "silent": slow(lies.silent),
    "stall-first": slow(lies.stall(0)),
    "stall-leaf": slow(lies.stall(9)),
    "drip-body": slow(lies.drip_body),
    "drip-head": slow(lies.drip_head),
    "10-gb": Case(lies.announce_10_gb, DeadlineExceeded, block_error=Unavailable, is_slow=True),
    "planted-answer": harmless(lies.plant),
    "backwards": harmless(lies.backwards),
    "with-extras": harmless(lies.with_extras),
    "with-trailer": harmless(lies.with_trailer),
    "without-duplicates": harmless(lies.without_duplicates),
    "no-car": harmless(lies.no_car()),
    "no-car-406": harmless(lies.no_car("406 Not Acceptable")),
    "one-reset": harmless(lies.once(lies.reset(9))),
}


def check_store(kit: Kit, file: Sample) -> None:
    """Nothing but blocks of the file is kept, and those are right."""
    right = {block.cid.multihash: block.data for block in file.blocks}
    kept = {key: block.data for key, block in kit.blocks.items()}
    assert kept.items() <= right.items()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_a_liar_alone(case: Case, mode: Literal["car", "block"]) -> None:
    is_car = mode == "car"
    error = case.error if is_car else case.block_error
    async with (
        LyingUpstream(FILE.blocks, case.behaviour) as liar,
        Kit(liar.settings, settings=case.settings(mode)) as kit,
    ):
        if error is None:
            assert await kit.read(FILE.cid) == FILE.content
        else:
            with pytest.raises(error, match=r"\[liar \((car|raw)\): ") as caught:
                await kit.read(FILE.cid)
            assert type(caught.value) is error
            assert {attempt.upstream for attempt in caught.value.attempts} == {"liar"}
        is_ejected = case.is_ejected if is_car else case.is_ejected_by_block
        assert (kit.state("liar") == "ejected") is is_ejected
        check_store(kit, FILE)
        assert len(kit.context.in_flight) == 0


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_a_liar_beside_an_honest_upstream(case: Case, mode: Literal["car", "block"]) -> None:
    async with (
        LyingUpstream(FILE.blocks, case.behaviour) as liar,
        LyingUpstream(FILE.blocks, name="honest") as honest,
        Kit(liar.settings, honest.settings, settings=case.settings(mode)) as kit,
    ):
        assert await kit.read(FILE.cid) == FILE.content
        assert kit.state("honest") == "healthy"
        assert "mismatch" not in kit.failures("liar") or kit.state("liar") == "ejected"
        assert honest.sent_bytes <= 1.3 * len(FILE.content)  # each block once, and 1 KiB leaves
        check_store(kit, FILE)


@pytest.mark.parametrize("index", [0, 1, 9])
async def test_what_came_before_a_lie_is_used(index: int) -> None:
    async with (
        LyingUpstream(FILE.blocks, lies.flip(index)) as liar,
        LyingUpstream(FILE.blocks, name="honest") as honest,
        Kit(liar.settings, honest.settings) as kit,
    ):
        assert await kit.read(FILE.cid) == FILE.content
    delivered = {logged.step: logged for logged in honest.log}
    assert list(delivered) == ["car"]
    assert kit.observer.rejected.total() == 1


async def test_liars_only_are_all_named() -> None:
    async with (
        LyingUpstream(FILE.blocks, lies.flip(), name="one") as one,
        LyingUpstream(FILE.blocks, lies.silent, name="two") as two,
        LyingUpstream(FILE.blocks, lies.html, name="three") as three,
        Kit(one.settings, two.settings, three.settings, settings=QUICK) as kit,
    ):
        with pytest.raises(Unverifiable, match=r"one .*two .*three "):
            await kit.read(FILE.cid)


async def test_an_ejected_upstream_is_asked_when_nobody_else_is_left() -> None:
    async with (
        LyingUpstream(FILE.blocks, lies.once(lies.flip())) as liar,
        Kit(liar.settings) as kit,
    ):
        with pytest.raises(Unverifiable, match="do not match"):
            await kit.read(FILE.cid)
        assert kit.state("liar") == "ejected"
        kit.clock.advance(REST_S)
        assert kit.state("liar") == "ejected"
        assert await kit.read(FILE.cid) == FILE.content


async def test_unrelated_blocks_are_not_stored() -> None:
    async with (
        LyingUpstream(FILE.blocks, lies.with_extras) as liar,
        Kit(liar.settings) as kit,
    ):
        await kit.read(FILE.cid)
        check_store(kit, FILE)


async def test_an_endless_car_is_left_after_a_few_megabytes() -> None:
    async with (
        LyingUpstream(FILE.blocks, lies.endless) as liar,
        LyingUpstream(FILE.blocks, name="honest") as honest,
        Kit(liar.settings, honest.settings) as kit,
    ):
        await kit.read(FILE.cid)
        received = next(row["bytes"] for row in kit.pool.rows() if row["name"] == "liar")
        assert received < 5_500_000
        assert kit.failures("liar") == {"bad-car": 1}
        check_store(kit, FILE)
