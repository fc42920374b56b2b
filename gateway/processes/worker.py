"""A worker: `python -P -m gateway.processes.worker FACTORY LISTEN_FD CONTROL_FD CLIENTS_FD`.

`gateway.processes.supervisor` starts it. It serves the listening socket that it inherits, answers
its parent's questions, and ends when its parent ends it or dies.
"""

import asyncio
import logging
import socket
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from gateway.client_table import ClientTable
from gateway.errors import BadSetting, BadSettings, CannotStart
from gateway.processes.channel import Channel
from gateway.processes.collector import spare_collector
from gateway.processes.listeners import Listener
from gateway.processes.service import Service, open_service
from gateway.processes.serving import Serving
from gateway.processes.stopping import Stop, first_of, run_until_stopped
from gateway.processes.tuning import be_patient, set_up_allocator
from gateway.settings import parse_settings

_log = logging.getLogger("gateway.worker")


def main(arguments: Sequence[str]) -> None:
    """Serve until the parent ends this process.

    Args:
        arguments: the factory's name, and the descriptors of the listening socket, the control
            socket and the memory of the client table.
    """
    set_up_allocator()
    be_patient()
    factory, listen, control, clients = arguments
    run_until_stopped(
        partial(
            work,
            factory=factory,
            listener=Listener(socket.socket(fileno=int(listen))),
            control=socket.socket(fileno=int(control)),
            clients=ClientTable.open(int(clients)),
        ),
        is_patient=True,
    )


async def work(
    stop: Stop, *, factory: str, listener: Listener, control: socket.socket, clients: ClientTable
) -> None:
    """Serve one listener; the parent is at the other end of `control`."""
    async with AsyncExitStack() as stack:
        channel = await Channel.open(control)
        stack.callback(channel.close)
        order = await channel.receive()
        if order is None:
            return
        try:
            settings = parse_settings(order["settings"])
            service = await open_service(stack, factory, settings, clients)
        except (BadSetting, BadSettings) as exc:
            problems = exc.problems if isinstance(exc, BadSettings) else (exc,)
            await channel.send({"problems": [(bad.key, bad.reason) for bad in problems]})
            return
        except (CannotStart, OSError) as exc:
            await channel.send({"failure": str(exc)})
            return
        serving = await Serving.start(service.app, listener, service.http_protocol)
        stack.callback(serving.cut)
        spare_collector()
        await channel.send({"ready": True})
        await first_of(stop.requested.wait(), serving.ended(), _answer(channel, service))
        await serving.drain()


async def _answer(channel: Channel, service: Service) -> None:
    """Answer the parent's questions until it closes the channel.

    An order runs in a task of its own, so that snapshots are answered meanwhile.
    """
    orders: set[asyncio.Task[None]] = set()
    try:
        while (question := await channel.receive()) is not None:
            number = question["ask"]
            if "order" in question:
                order = asyncio.create_task(_obey(channel, service, number, question["order"]))
                orders.add(order)
                order.add_done_callback(orders.discard)
            else:
                await channel.send({"answer": number, "snapshot": service.snapshot()})
    finally:
        for order in orders:
            order.cancel()


async def _obey(channel: Channel, service: Service, number: int, order: dict[str, Any]) -> None:
    try:
        result = await service.obey(order)
    except Exception:  # noqa: BLE001 (the parent waits for an answer)
        _log.exception("an operator's order failed")
        result = {"error": "the order failed; the log says why"}
    await channel.send({"answer": number, "result": result})


if __name__ == "__main__":
    main(sys.argv[1:])
