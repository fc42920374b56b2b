import asyncio
import time

from benchmarks.delay import NearEnd

_ONE_WAY_S = 0.03


async def _answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(await reader.readexactly(5))
    await writer.drain()
    writer.close()


async def test_a_delayed_link_takes_a_round_trip_and_changes_nothing() -> None:
    target = await asyncio.start_server(_answer_once, "127.0.0.1", 0)
    port = target.sockets[0].getsockname()[1]
    proxy = await asyncio.get_running_loop().create_server(
        lambda: NearEnd(port, _ONE_WAY_S), "127.0.0.1", 0
    )
    async with target, proxy:
        started = time.monotonic()
        reader, writer = await asyncio.open_connection(*proxy.sockets[0].getsockname())
        writer.write(b"hello")
        assert await reader.read() == b"hello"
        assert time.monotonic() - started >= 2 * _ONE_WAY_S
        writer.close()
        await writer.wait_closed()
