"""What a `LyingUpstream` can do instead of answering honestly; each a `Behaviour`."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from gateway.content.block import Block
from gateway.content.car import car_header
from gateway.content.varint import encode_varint
from tests.fakes.blocks import block_of
from tests.fakes.lying_upstream import Answer, Behaviour, honest

CAR_V2_PRAGMA = bytes.fromhex("0aa16776657273696f6e02")


def junk(size: int = 64 * 1024) -> Iterator[Block]:
    """Yield valid blocks that nobody asked for, without end."""
    number = 0
    while True:
        yield block_of(number.to_bytes(8, "big") + bytes(size))
        number += 1


async def _section(answer: Answer, block: Block, data: bytes) -> None:
    """Send bytes under the CID of a block."""
    if not answer.is_car:
        await answer.chunk(data)
        return
    cid = block.cid.encode()
    await answer.chunk(encode_varint(len(cid) + len(data)) + cid + data)


def _instead(index: int, change: Callable[[Block], bytes]) -> Behaviour:
    """Send other bytes for the block `index` of a CAR, and for every raw block."""

    async def behave(answer: Answer) -> None:
        await answer.begin()
        for number, block in enumerate(answer.blocks()):
            is_it = number == index or not answer.is_car
            await _section(answer, block, change(block) if is_it else block.data)
        await answer.end()

    return behave


def flip(index: int = 0) -> Behaviour:
    """Flip one bit."""
    return _instead(index, lambda block: bytes([block.data[0] ^ 1]) + block.data[1:])


def swap(index: int = 0) -> Behaviour:
    """Send another valid block."""
    return _instead(index, lambda _: b"another block")


def extend(index: int = 0) -> Behaviour:
    """Send one byte too many."""
    return _instead(index, lambda block: block.data + b"\0")


def shorten(index: int = 0) -> Behaviour:
    """Send all but the last byte."""
    return _instead(index, lambda block: block.data[:-1])


async def empty(answer: Answer) -> None:
    """Send no body."""
    await answer.head(body=0)


async def html(answer: Answer) -> None:
    """Send a page, as a captive portal does."""
    await answer.head(body=13, more={"content-type": "text/html"})
    await answer.send(b"<h1>Hello</h1>"[:13])


async def wrong_type(answer: Answer) -> None:
    """Send the right bytes as a page."""
    await answer.begin({"content-type": "text/html; charset=utf-8"})
    await answer.send_blocks(answer.blocks())
    await answer.end()


async def redirect(answer: Answer) -> None:
    """Point somewhere else."""
    location = f"http://127.0.0.1:1/ipfs/{answer.request.cid}"
    await answer.head("302 Found", {"location": location}, body=0)


async def gzip(answer: Answer) -> None:
    """Claim an encoding that was not asked for."""
    await answer.begin({"content-encoding": "gzip"})
    await answer.send_blocks(answer.blocks())
    await answer.end()


async def truncate(answer: Answer) -> None:
    """Announce more than is sent, then close."""
    await answer.head(body=1_000_000)
    if answer.is_car:
        await answer.send(car_header([answer.request.cid]))
    answer.close()


def reset(index: int = 0) -> Behaviour:
    """Break the connection before the block `index`."""

    async def behave(answer: Answer) -> None:
        await answer.begin()
        for number, block in enumerate(answer.blocks()):
            if number == index:
                break
            await answer.send_blocks([block])
        answer.close()

    return behave


async def hang_up(answer: Answer) -> None:
    """Close the connection without a word."""
    answer.close()


async def head_only(answer: Answer) -> None:
    """Announce every body, and send none."""
    if answer.request.method == "HEAD" or not _has_it(answer):
        await honest(answer)
        return
    await answer.head(body=len(answer.upstream.blocks[answer.request.cid.multihash].data))
    await asyncio.Event().wait()


async def half_body(answer: Answer) -> None:
    """Cut every body half-way."""
    if answer.request.method == "HEAD" or not _has_it(answer):
        await honest(answer)
        return
    if answer.is_car:
        blocks = list(answer.blocks())
        await answer.begin()
        await answer.send_blocks(blocks[: len(blocks) // 2])
    else:
        data = answer.upstream.blocks[answer.request.cid.multihash].data
        await answer.head(body=len(data))
        await answer.send(data[: len(data) // 2])
    answer.close()


def _has_it(answer: Answer) -> bool:
    return answer.request.cid.multihash in answer.upstream.blocks


def stall(index: int = 0) -> Behaviour:
    """Fall silent before the block `index`."""

    async def behave(answer: Answer) -> None:
        await answer.begin()
        for number, block in enumerate(answer.blocks()):
            if number == index:
                break
            await answer.send_blocks([block])
        await asyncio.Event().wait()

    return behave


async def silent(_answer: Answer) -> None:
    """Say nothing."""
    await asyncio.Event().wait()


def vanish(then: Behaviour = honest, after: int = 1) -> Behaviour:
    """Answer so many requests of each connection, and no more: as if its peer had vanished."""
    asked: Counter[asyncio.StreamWriter] = Counter()

    async def behave(answer: Answer) -> None:
        asked[answer.writer] += 1
        await (then if asked[answer.writer] <= after else silent)(answer)

    return behave


async def drip_body(answer: Answer) -> None:
    """Send the right body, a byte at a time."""
    await answer.begin()
    for block in answer.blocks():
        for byte in block.data:
            await answer.chunk(bytes([byte]))
            await asyncio.sleep(0.02)


async def drip_head(answer: Answer) -> None:
    """Send a head without end, a byte at a time."""
    await answer.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        for byte in b"x: y\r\n":
            await answer.send(bytes([byte]))
            await asyncio.sleep(0.02)


async def interim(answer: Answer) -> None:
    """Send interim answers without end."""
    while True:
        await answer.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)
        await asyncio.sleep(0)


async def endless(answer: Answer) -> None:
    """Send a body without end: of valid blocks, if it is a CAR."""
    await answer.begin()
    await answer.send_blocks(junk())


async def announce_10_gb(answer: Answer) -> None:
    """Announce a huge body."""
    await answer.head(body=10_000_000_000)
    await asyncio.Event().wait()


async def many_headers(answer: Answer) -> None:
    """Send more header fields than anybody needs, then the right body."""
    await answer.begin({f"x-{number}": "y" for number in range(1000)})
    await answer.send_blocks(answer.blocks())
    await answer.end()


async def long_header(answer: Answer) -> None:
    """Send one header field of a megabyte."""
    await answer.begin({"x-long": "y" * 1_000_000})
    await answer.send_blocks(answer.blocks())
    await answer.end()


async def two_lengths(answer: Answer) -> None:
    """Send two lengths that differ."""
    await answer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab")


async def length_and_chunks(answer: Answer) -> None:
    """Send a length and chunks: two answers to where the body ends."""
    await answer.begin({"content-length": "5"})
    await answer.send_blocks(answer.blocks())
    await answer.end()


async def broken_chunks(answer: Answer) -> None:
    """Send chunks whose sizes are no numbers."""
    await answer.head()
    await answer.send(b"zz\r\nnot a chunk\r\n")


async def plant(answer: Answer) -> None:
    """Answer honestly, and with the last bytes the next question, too, with a lie."""
    await answer.begin()
    for _ in range(10):  # the head is read alone: the hardest case for the client
        await asyncio.sleep(0)
    answer.held = bytearray()
    await answer.send_blocks(answer.blocks())
    await answer.end()
    await answer.head(body=4)
    await answer.send(b"evil")
    await answer.flush()


def omit(index: int) -> Behaviour:
    """Leave one block out of the CAR; as raw it is not there either."""

    async def behave(answer: Answer) -> None:
        if not answer.is_car:
            await answer.head("404 Not Found", body=0)
            return
        await answer.begin()
        await answer.send_blocks(b for n, b in enumerate(answer.blocks()) if n != index)
        await answer.end()

    return behave


async def backwards(answer: Answer) -> None:
    """Send the CAR in the wrong order."""
    await answer.begin()
    await answer.send_blocks(reversed(list(answer.blocks())))
    await answer.end()


async def with_extras(answer: Answer) -> None:
    """Send valid blocks that nobody asked for between the others."""
    await answer.begin()
    extras = junk(100)
    for block in answer.blocks():
        await answer.send_blocks([block, next(extras)] if answer.is_car else [block])
    await answer.end()


async def without_duplicates(answer: Answer) -> None:
    """Send each block once, whatever was asked for."""
    await answer.begin()
    await answer.send_blocks({block.cid: block for block in answer.blocks()}.values())
    await answer.end()


async def with_trailer(answer: Answer) -> None:
    """Send garbage after the last block, and no end."""
    await answer.begin()
    await answer.send_blocks(answer.blocks())
    while answer.is_car:
        await answer.chunk(bytes(1000))
    await answer.end()


async def car_v2(answer: Answer) -> None:
    """Send a CAR of version 2."""
    await answer.head()
    await answer.chunk(CAR_V2_PRAGMA + bytes(40))
    await answer.end()


async def garbage(answer: Answer) -> None:
    """Send bytes that are nothing."""
    await answer.head()
    await answer.chunk(b"\x7f" * 500)
    await answer.end()


async def header_only(answer: Answer) -> None:
    """Send a CAR that ends after its header, and 404 to raw."""
    if answer.is_car:
        await answer.begin()
        await answer.end()
    else:
        await answer.head("404 Not Found", body=0)


def status(line: str, more: Mapping[str, str] = {}) -> Behaviour:
    """Answer with a status and nothing else."""

    async def behave(answer: Answer) -> None:
        await answer.head(line, more, body=0)

    return behave


def no_car(line: str = "400 Bad Request") -> Behaviour:
    """Refuse CARs; blocks are served honestly."""

    async def behave(answer: Answer) -> None:
        if answer.is_car:
            await answer.head(line, body=0)
        else:
            await honest(answer)

    return behave


def no_raw(line: str = "400 Bad Request") -> Behaviour:
    """Refuse single blocks; CARs are served honestly."""

    async def behave(answer: Answer) -> None:
        if answer.is_car:
            await honest(answer)
        else:
            await answer.head(line, body=0)

    return behave


def once(first: Behaviour, then: Behaviour = honest) -> Behaviour:
    """Do one thing first and another from then on."""
    left = [first]

    async def behave(answer: Answer) -> None:
        await (left.pop() if left else then)(answer)

    return behave
