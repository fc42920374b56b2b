"""One order of an operator, as JSON, to its answer, as JSON.

This is what the admin listener asks a worker, which may be another process. An order has `do`; an
answer with `error` says that it was not carried out, and why.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

from gateway.background import Background
from gateway.content.cid import Cid, parse_cid
from gateway.errors import GatewayError
from gateway.ports import BlockControl, BlockStore, Clock, Denials, Retriever
from gateway.upkeep.pins import PinKeeper, describe_pins
from gateway.upkeep.purge import purge_dag
from gateway.upkeep.warm import Warmer

Order = Mapping[str, Any]
Answer = dict[str, Any]

TASK: Final = "pins"
TOO_MANY_JOBS: Final = "too many warm orders are under way; wait for one to end"
NO_JOB: Final = "the worker that did this is gone"


class Upkeep:
    """Carries out the orders of operators in one worker."""

    def __init__(
        self,
        store: BlockStore,
        keeper: BlockControl,
        retriever: Retriever,
        clock: Clock,
        denials: Denials | None = None,
    ) -> None:
        """Make it; `start` lets it carry pins out. What `denials` block is not fetched ahead."""
        self._denials = denials
        self._store = store
        self._keeper = keeper
        self._warmer = Warmer(retriever, keeper, clock)
        self._pins = PinKeeper(keeper, retriever, clock)
        self._pinning: asyncio.Task[None] | None = None
        self._actions: Mapping[str, Callable[[Order], Awaitable[Answer]]] = {
            "purge": self._purge,
            "follow-purge": self._follow_purge,
            "warm": self._warm,
            "job": self._job,
            "cancel": self._cancel,
            "pins": self._list_pins,
            "change-pins": self._change_pins,
        }

    def start(self, background: Background) -> None:
        """Begin to carry out pins."""
        tell = partial(background.report, TASK)
        self._pinning = background.keep(TASK, partial(self._pins.run, tell))

    async def close(self) -> None:
        """End what is under way."""
        if self._pinning is not None:
            self._pinning.cancel()
            await asyncio.gather(self._pinning, return_exceptions=True)
        await self._warmer.close()

    async def obey(self, order: Order) -> Answer:
        """Carry out one order; never raises for what is in it or what comes of it."""
        action = self._actions.get(str(order.get("do")))
        if action is None:
            return {"error": "this worker does not know the order"}
        try:
            return await action(order)
        except GatewayError as exc:
            return {"error": str(exc)}

    async def _purge(self, order: Order) -> Answer:
        roots = _cids(order, "cids")
        if not order["recursive"]:
            told = [(await self._keeper.purge([cid]), 0, True) for cid in roots]
        else:
            told = []
            for cid in roots:
                purged, reached = await purge_dag(self._store, self._keeper, cid)
                is_whole = not reached.holes and not reached.is_cut
                told.append((purged, reached.holes, is_whole))
        rows = [
            {
                "cid": str(cid),
                "blocks": purged.blocks,
                "bytes": purged.bytes,
                "pinned": purged.pinned,
                "holes": holes,
                "whole": is_whole,
            }
            for cid, (purged, holes, is_whole) in zip(roots, told, strict=True)
        ]
        return {"purged": rows}

    async def _follow_purge(self, order: Order) -> Answer:
        """Drop what another worker of this gateway has purged."""
        if not self._keeper.is_shared:
            return await self._purge(order)
        await self._keeper.catch_up()
        return {}

    async def _warm(self, order: Order) -> Answer:
        root = parse_cid(order["cid"])
        self._check([root])
        number = self._warmer.begin(root)
        return {"error": TOO_MANY_JOBS} if number is None else {"job": number}

    async def _job(self, order: Order) -> Answer:
        return self._warmer.look(order["job"]) or {"error": NO_JOB}

    async def _cancel(self, order: Order) -> Answer:
        self._warmer.cancel(order["job"])
        return {}

    async def _list_pins(self, _: Order) -> Answer:
        rows = {row.root: row for row in await self._keeper.pins()}
        return {"pins": describe_pins(await self._keeper.pin_roots(), rows)}

    async def _change_pins(self, order: Order) -> Answer:
        added = _cids(order, "add")
        self._check(added)
        await self._keeper.change_pins(added, _cids(order, "remove"))
        self._pins.wake()
        return await self._list_pins(order)

    def _check(self, roots: list[Cid]) -> None:
        if self._denials is not None:
            for root in roots:
                self._denials.check_block(root)


def _cids(order: Order, name: str) -> list[Cid]:
    return [parse_cid(text) for text in order[name]]
