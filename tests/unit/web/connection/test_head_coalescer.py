"""A head and its body leave together, and in order whatever comes."""

import asyncio
from collections.abc import Iterable

import pytest

from gateway.web.connection.head_coalescer import COPY_BYTES, Joined


class Writes(asyncio.Transport):
    """Notes each write."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.calls.append(bytes(data))

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.calls.append(b"".join(list_of_data))

    def is_closing(self) -> bool:
        return self.calls[-1:] == [b"closed"]

    def close(self) -> None:
        self.calls.append(b"closed")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"body", id="small"),
        pytest.param(b"b" * (COPY_BYTES + 1), id="large"),
        pytest.param(memoryview(b"part"), id="part-of-a-block"),
        pytest.param(b"", id="none"),
    ],
)
async def test_head_and_body_are_one_write(body: bytes) -> None:
    writes = Writes()
    joined = Joined(writes, asyncio.get_running_loop())
    joined.write(b"head ")
    joined.write(body)
    joined.write(b" more")
    await asyncio.sleep(0)
    assert writes.calls == [b"head " + bytes(body), b" more"]


async def test_a_head_whose_body_takes_time_does_not_wait_for_it() -> None:
    writes = Writes()
    joined = Joined(writes, asyncio.get_running_loop())
    joined.write(b"head")
    await asyncio.sleep(0)
    joined.write(b"body")
    assert writes.calls == [b"head", b"body"]


async def test_closing_sends_what_waits_first() -> None:
    writes = Writes()
    joined = Joined(writes, asyncio.get_running_loop())
    joined.write(b"head")
    joined.close()
    assert writes.calls == [b"head", b"closed"]
    assert joined.is_closing()
