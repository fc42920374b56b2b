"""The main process: serves both listeners alone, or is the parent of workers."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, closing
from functools import partial

from gateway.background import Background, TaskRow
from gateway.client_table import ClientTable
from gateway.errors import CannotStart
from gateway.ops.clock import SystemClock
from gateway.ops.descriptors import raise_descriptor_limit
from gateway.ops.fleet import Answer, Fleet, Operators, Order
from gateway.ops.overview import WorkerSnapshot
from gateway.processes.collector import spare_collector
from gateway.processes.listeners import Listener, open_listener
from gateway.processes.service import Service, load, open_service
from gateway.processes.serving import Serving
from gateway.processes.stopping import Stop, first_of, run_until_stopped
from gateway.processes.supervisor import Supervisor
from gateway.processes.tuning import set_up_allocator
from gateway.processes.worker_process import Inherited, WorkerProcess
from gateway.settings import Settings

APP = "gateway.wiring.app:build"
OPERATORS = "gateway.wiring.operators:build"

OperatorsFactory = Callable[[Settings, Fleet, Callable[[], bool]], Operators]
"""Makes the application of the operators' listener; called with the settings, the workers, and a
function that says whether the gateway accepts requests."""
Say = Callable[[str], None]
"""Prints one line."""


def serve(settings: Settings, say: Say, factory: str = APP) -> None:
    """Serve until a signal ends it.

    Args:
        settings: the whole configuration.
        say: called with `listening on ...` for each listener, once it accepts connections.
        factory: `package.module:function` of a `ServiceFactory`.

    Raises:
        BadSetting, BadSettings: a mistake that only building the service reveals.
        CannotStart: an address is taken, or a worker does not start.
    """
    raise_descriptor_limit()
    set_up_allocator()
    main = serve_alone if settings.server.workers == 1 else serve_with_workers
    run_until_stopped(partial(main, settings=settings, say=say, factory=factory))


async def serve_alone(stop: Stop, *, settings: Settings, say: Say, factory: str) -> None:
    """Serve content and the operators' listener from this process."""
    async with AsyncExitStack() as stack:
        content, operators = _open_listeners(stack, settings)
        service = await open_service(stack, factory, settings, ClientTable.private())
        public = await Serving.start(service.app, content, service.http_protocol)
        stack.callback(public.cut)
        say(f"listening on {content}")
        admin = _build_operators(settings, _Alone(service), lambda: not stop.requested.is_set())
        private = await Serving.start(admin.app, operators, admin.http_protocol)
        stack.callback(private.cut)
        spare_collector()
        say(f"listening on {operators}")
        await first_of(stop.requested.wait(), public.ended(), private.ended())
        await public.drain()
        await private.drain()


async def serve_with_workers(stop: Stop, *, settings: Settings, say: Say, factory: str) -> None:
    """Serve content from supervised workers, and the operators' listener from this process."""
    async with AsyncExitStack() as stack:
        content, operators = _open_listeners(stack, settings)
        inherited = Inherited(content, ClientTable.shared())
        clock = SystemClock()
        supervisor = Supervisor(
            partial(WorkerProcess.spawn, settings, inherited, factory),
            settings.server.workers,
            Background(clock),
        )
        stack.push_async_callback(supervisor.kill)
        try:
            await supervisor.start()
        except CannotStart:
            if stop.requested.is_set():  # the same signal ended the workers
                return
            raise
        say(f"listening on {content}")
        admin = _build_operators(
            settings, supervisor, lambda: supervisor.is_serving and not stop.requested.is_set()
        )
        private = await Serving.start(admin.app, operators, admin.http_protocol)
        stack.callback(private.cut)
        say(f"listening on {operators}")
        await first_of(stop.requested.wait(), private.ended())
        await supervisor.drain()
        await private.drain()
        if supervisor.failure:
            raise CannotStart(f"a worker could not be started again: {supervisor.failure}")


def _open_listeners(stack: AsyncExitStack, settings: Settings) -> tuple[Listener, Listener]:
    content = stack.enter_context(closing(open_listener(settings.server.listen)))
    operators = stack.enter_context(closing(open_listener(settings.admin.listen)))
    return content, operators


def _build_operators(settings: Settings, fleet: Fleet, is_ready: Callable[[], bool]) -> Operators:
    build: OperatorsFactory = load(OPERATORS)
    return build(settings, fleet, is_ready)


class _Alone:
    """The `Fleet` of a gateway without workers."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def snapshots(self) -> Sequence[WorkerSnapshot]:
        return (self._service.snapshot(),)

    def tasks(self) -> Sequence[TaskRow]:
        return ()  # the snapshot of the service has them

    async def order(self, order: Order) -> Answer:
        return await self._service.obey(order)

    async def order_rest(self, _: Order) -> Sequence[Answer]:
        return ()
