"""A worker serves what it inherits, answers its parent, and does not outlive it."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator

import pytest

from gateway.client_table import ClientTable
from gateway.processes.channel import Channel
from gateway.processes.listeners import Listener, open_listener
from gateway.processes.stopping import Stop
from gateway.processes.worker import work
from gateway.settings import Settings, format_settings
from tests.fakes import service

ORDER = {"settings": format_settings(Settings())}


class Parent:
    """The parent's end of a worker that runs as a task of this process."""

    def __init__(self, listener: Listener, factory: str) -> None:
        self.listener = listener
        self.stop = Stop()
        ours, its = socket.socketpair()
        self._ours = ours
        self.working = asyncio.create_task(
            work(
                self.stop,
                factory=factory,
                listener=listener,
                control=its,
                clients=ClientTable.private(),
            )
        )

    async def open(self) -> Channel:
        self.channel = await Channel.open(self._ours)
        return self.channel

    async def fetch(self) -> bytes:
        reader, writer = await asyncio.open_connection(*self.listener.socket.getsockname()[:2])
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        answer = await reader.read()
        writer.close()
        return answer


@pytest.fixture(name="parent")
async def parent_fixture(request: pytest.FixtureRequest) -> AsyncIterator[Parent]:
    parent = Parent(open_listener("127.0.0.1:0"), getattr(request, "param", service.FACTORY))
    await parent.open()
    yield parent
    parent.channel.close()
    await parent.working
    parent.listener.close()


async def test_it_says_when_it_accepts(parent: Parent) -> None:
    await parent.channel.send(ORDER)

    assert await parent.channel.receive() == {"ready": True}
    assert (await parent.fetch()).startswith(b"HTTP/1.1 200 OK")


async def test_it_answers_with_what_it_counted(parent: Parent) -> None:
    await parent.channel.send(ORDER)
    await parent.channel.receive()
    await parent.fetch()

    await parent.channel.send({"ask": 5})
    answer = await parent.channel.receive()

    assert answer is not None
    assert answer["answer"] == 5
    assert answer["snapshot"]["statistics"]["blocks"]["missed"] == 1


async def test_it_carries_out_orders_and_answers_meanwhile(parent: Parent) -> None:
    await parent.channel.send(ORDER)
    await parent.channel.receive()

    for number, order in enumerate(("wait", "purge", "break")):
        await parent.channel.send({"ask": number, "order": {"do": order}})
    first, second = await parent.channel.receive(), await parent.channel.receive()

    assert first == {"answer": 1, "result": {"did": "purge", "pid": os.getpid()}}
    assert second is not None
    assert "the log says why" in second["result"]["error"]


async def test_it_ends_when_it_is_asked_to(parent: Parent) -> None:
    await parent.channel.send(ORDER)
    await parent.channel.receive()

    parent.stop.ask()

    await parent.working


@pytest.mark.parametrize("has_order", [True, False])
async def test_it_ends_when_its_parent_is_gone(parent: Parent, *, has_order: bool) -> None:
    if has_order:
        await parent.channel.send(ORDER)
        await parent.channel.receive()

    parent.channel.close()

    await parent.working


@pytest.mark.parametrize(
    ("parent", "message"),
    [
        (service.MISCONFIGURED, {"problems": [["geoip.database", "is not a database"]]}),
        (service.UNABLE, {"failure": "the disk is not there"}),
    ],
    indirect=["parent"],
)
async def test_it_tells_why_it_cannot_start(parent: Parent, message: object) -> None:
    await parent.channel.send(ORDER)

    assert await parent.channel.receive() == message
    await parent.working


async def test_it_names_every_wrong_setting(parent: Parent) -> None:
    await parent.channel.send({"settings": {"cache": {"disk_size": 1}, "colour": 2}})

    message = await parent.channel.receive()

    assert message is not None
    assert sorted(key for key, _ in message["problems"]) == ["cache.disk_size", "colour"]
