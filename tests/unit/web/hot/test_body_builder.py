"""Which bodies are made for the kernel to send, and which never are."""

from hashlib import shake_256

import pytest

from gateway.content.build import build_file, collect
from gateway.protocol.answer import Answer
from gateway.protocol.request import GatewayRequest, parse_request
from gateway.web.hot.body_builder import MAX_SEEN
from tests.unit.web.conftest import Listening
from tests.unit.web.connection.test_http_connection import keep_alive

DATA = shake_256(b"leaves").digest(3 * 1024 * 1024)  # three leaves


async def asked(listening: Listening, times: int, *lines: str, data: bytes = DATA) -> str:
    target = f"/ipfs/{listening.add(collect(build_file(data)))}"
    for _ in range(times):
        await keep_alive(listening, target, *lines)
    await listening.filler.settle()
    return target


@pytest.mark.parametrize(
    ("times", "lines", "is_kept"),
    [
        pytest.param(1, (), False, id="once"),
        pytest.param(2, (), True, id="twice"),
        pytest.param(2, ("Range: bytes=0-",), True, id="all-of-it-as-a-range"),
        pytest.param(3, ("Range: bytes=0-99",), False, id="parts"),
        pytest.param(3, ("Range: bytes=0-9,20-29",), False, id="several-parts"),
        pytest.param(3, ("Accept: application/vnd.ipld.car",), False, id="car"),
    ],
)
async def test_a_file_is_made_when_all_of_it_was_asked_for_again(
    listening: Listening,
    times: int,
    lines: tuple[str, ...],
    is_kept: bool,  # noqa: FBT001 (a table)
) -> None:
    target = await asked(listening, times, *lines)
    assert (target.encode() in listening.table) is is_kept


async def test_a_file_of_one_block_is_made_too(listening: Listening) -> None:
    target = await asked(listening, 2, data=DATA[:200_000])
    assert b"detail=hot" in await keep_alive(listening, target)


async def test_a_file_that_is_larger_than_the_share_is_not_made(listening: Listening) -> None:
    target = await asked(listening, 3, data=DATA * 11)
    assert target.encode() not in listening.table


async def test_a_file_that_is_not_all_cached_is_not_made(listening: Listening) -> None:
    built, blocks = collect(build_file(DATA))
    target = f"/ipfs/{listening.add((built, blocks))}"
    await keep_alive(listening, target)
    del listening.retriever.near[blocks[2].cid.multihash]
    await keep_alive(listening, target)
    await listening.filler.settle()
    assert target.encode() not in listening.table


async def test_blocks_that_are_gone_meanwhile_make_nothing(listening: Listening) -> None:
    built, _ = collect(build_file(DATA))
    request = parse_request("GET", f"/ipfs/{built.cid}".encode(), b"", [])
    assert isinstance(request, GatewayRequest)
    kept: list[Answer] = []
    for _ in range(2):
        listening.filler.offer(b"gone", request, len(DATA), lambda answer, _: kept.append(answer))
    await listening.filler.settle()
    assert kept == []


async def test_what_was_read_before_a_purge_is_not_put_after_it(listening: Listening) -> None:
    target = f"/ipfs/{listening.add(collect(build_file(DATA)))}"
    page = f"/ipfs/{listening.root}/a.txt"
    listening.retriever.on_open = listening.table.clear
    for asked_for in (target, target, page):
        await keep_alive(listening, asked_for)
    await listening.filler.settle()
    listening.retriever.on_open = None
    assert (len(listening.table), listening.table.files_bytes) == (0, 0)
    assert b"detail=memory" in await keep_alive(listening, page)
    assert b"detail=hot" in await keep_alive(listening, page)


async def test_what_was_sent_once_is_remembered_within_bounds(listening: Listening) -> None:
    first = await asked(listening, 1)
    names = [b"/ipfs/%d" % number for number in range(MAX_SEEN)]
    came_before = [listening.filler.has_come_before(name) for name in names]
    assert not any(came_before)
    assert not listening.filler.has_come_before(first.encode())
