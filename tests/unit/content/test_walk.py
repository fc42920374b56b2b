import re

import pytest

from gateway.content.cid import parse_cid
from gateway.content.walk import (
    Ended,
    Stream,
    Walk,
    Want,
    advance,
    advance_stream,
    ask,
    run,
    run_stream,
)
from tests.fakes.dag_forge import Forge

FORGE = Forge()
A, B = FORGE.raw(b"a"), FORGE.raw(b"b")


def both() -> Walk[bytes]:
    first = yield from ask(Want(A))
    second = yield from ask(Want(B))
    return first.data + second.data


def pieces() -> Stream[bytes]:
    block = yield Want(A)
    assert block is not None
    yield block.data
    yield b"-"


def test_run_sends_the_blocks_that_are_wanted() -> None:
    assert run(both(), FORGE.blocks) == b"ab"


def test_run_says_which_block_is_missing() -> None:
    with pytest.raises(KeyError, match=re.escape(repr(B.multihash))):
        run(both(), {A.multihash: FORGE.blocks[A.multihash]})


def test_run_stream_yields_what_the_walk_makes() -> None:
    assert list(run_stream(pieces(), FORGE.blocks)) == [b"a", b"-"]


def test_ask_opens_identity_cids_itself() -> None:
    assert run(ask(Want(parse_cid("bafkqaaa"))), {}).data == b""


def test_ask_gives_the_block_the_cid_it_asked_for() -> None:
    node = parse_cid("QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn")
    FORGE.directory()

    assert run(ask(Want(node)), FORGE.blocks).cid == node


def test_ask_refuses_another_block() -> None:
    with pytest.raises(ValueError, match="does not name the bytes of"):
        run(ask(Want(A)), {A.multihash: FORGE.blocks[B.multihash]})


def test_a_walk_can_be_taken_step_by_step() -> None:
    walk, a, b = both(), FORGE.blocks[A.multihash], FORGE.blocks[B.multihash]
    assert [advance(walk, block) for block in (None, a, b)] == [Want(A), Want(B), Ended(b"ab")]


def test_so_can_a_stream() -> None:
    stream, a = pieces(), FORGE.blocks[A.multihash]
    steps = [advance_stream(stream, block) for block in (None, a, None, None)]
    assert steps == [Want(A), b"a", b"-", Ended(None)]
