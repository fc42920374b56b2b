"""Bringing the cache in line with the list of pinned roots.

One process of all that share a cache directory does it: it fetches what is missing, marks what is
there, and takes marks off. Progress is in the cache's own index, where every process can read it.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import aclosing
from typing import Any, Final

from gateway.content.block import Block
from gateway.content.cid import Cid, parse_cid
from gateway.errors import BadCid, CacheUnavailable, GatewayError, PinsFull
from gateway.ports import BlockControl, Clock, PinRow, PinState, Retriever
from gateway.upkeep.fetch import fetch_dag

CHECK_S: Final = 1.0
"""How often is looked whether somebody changed the list."""
REPAIR_S: Final = 300.0
"""How often all pins are looked at without a change: the index may have been lost, and what failed
is tried again."""
STEP_BYTES: Final = 8 * 1024 * 1024
STEP_BLOCKS: Final = 256
"""Blocks marked in one transaction, some 10 ms."""

MAX_TOLD_CHARACTERS: Final = 100
"""Of an entry that is no CID, in health and in the log."""
_NOT_BEGUN: Final = PinRow(b"", PinState.WAITING, "", 0, 0)
_NO_CID: Final = PinRow(b"", PinState.FAILED, "", 0, 0)

Tell = Callable[[str], None]

_log = logging.getLogger("gateway.pins")


class PinKeeper:
    """Carries the pins out, if this process is the one that does."""

    def __init__(self, keeper: BlockControl, retriever: Retriever, clock: Clock) -> None:
        """Make a keeper; `run` does the work."""
        self._keeper = keeper
        self._retriever = retriever
        self._clock = clock
        self._woken = asyncio.Event()
        self._version = -1
        self._checked_s = 0.0

    def wake(self) -> None:
        """Look at once: the list was changed."""
        self._woken.set()

    async def run(self, tell: Tell) -> None:
        """Work until cancelled; `tell` is told what is wrong, or that nothing is."""
        while True:
            try:
                if await self._keeper.lead_pins():
                    await self._check(tell)
            except CacheUnavailable as exc:
                tell(f"the pins wait: {exc}")
                self._version = -1
            self._woken.clear()
            try:
                async with asyncio.timeout(CHECK_S):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def _check(self, tell: Tell) -> None:
        version, now_s = await self._keeper.pins_version(), self._clock.monotonic()
        if version == self._version and now_s - self._checked_s < REPAIR_S:
            return
        tell(await self.bring_in_line())
        self._version, self._checked_s = version, now_s

    async def bring_in_line(self) -> str:
        """Unpin what is no longer wanted, fetch and mark what is not whole; returns when done.

        Returns:
            What of the list cannot be read, in words; empty if all can.

        Raises:
            CacheUnavailable: the cache cannot do it now.
        """
        cids, bad = read_roots(await self._keeper.pin_roots())
        wanted = {cid.multihash: cid for cid in cids}
        known = {row.root: row for row in await self._keeper.pins()}
        for root in known.keys() - wanted.keys():
            await self._keeper.unpin(root)
        for root, cid in wanted.items():
            if root not in known or known[root].state is not PinState.PINNED:
                await self._pin(cid)
        return _problem_with(bad)

    async def _pin(self, root: Cid) -> None:
        try:
            if await self._fetch(root):
                await self._keeper.finish_pin(root)
                _log.info("%s is pinned", root)
        except PinsFull as exc:
            await self._keeper.unpin(root.multihash)
            await self._fail(root, exc)
        except CacheUnavailable:
            raise
        except GatewayError as exc:  # what came stays marked, for the next try
            await self._fail(root, exc)
        except Exception as exc:  # noqa: BLE001 (one pin must not end the others)
            _log.exception("pinning %s failed", root)
            await self._fail(root, exc)

    async def _fail(self, root: Cid, error: Exception) -> None:
        _log.warning("%s could not be pinned: %s", root, error)
        await self._keeper.finish_pin(root, str(error))

    async def _fetch(self, root: Cid) -> bool:
        """Fetch and mark a DAG; tell whether it was still wanted at the end."""
        step: list[Block] = []
        size = 0
        async with aclosing(fetch_dag(self._retriever, root)) as blocks:
            async for block in blocks:
                step.append(block)
                size += len(block.data)
                if size >= STEP_BYTES or len(step) >= STEP_BLOCKS:
                    if not await self._mark(root, step):
                        return False
                    step, size = [], 0
        return await self._mark(root, step)

    async def _mark(self, root: Cid, step: list[Block]) -> bool:
        # The list may have changed while blocks were fetched.
        if str(root) not in await self._keeper.pin_roots():
            return False
        await self._keeper.pin(root, step)
        return True


def read_roots(texts: Iterable[str]) -> tuple[list[Cid], dict[str, str]]:
    """Return the roots of a list, and by its text why another one is none."""
    cids: list[Cid] = []
    bad: dict[str, str] = {}
    for text in texts:
        try:
            cids.append(parse_cid(text))
        except BadCid as exc:
            bad[text] = str(exc)
    return cids, bad


def _problem_with(bad: Mapping[str, str]) -> str:
    if not bad:
        return ""
    text, reason = next(iter(bad.items()))
    return f"{len(bad)} of the pins left out, the first is {text[:MAX_TOLD_CHARACTERS]!r}: {reason}"


def describe_pins(roots: Mapping[str, float], rows: Mapping[bytes, PinRow]) -> list[dict[str, Any]]:
    """Return a row for each root that must stay, as JSON; the oldest first."""
    cids, bad = read_roots(roots)
    keys = dict(zip([text for text in roots if text not in bad], cids, strict=True))
    told = []
    for text, since in sorted(roots.items(), key=lambda item: (item[1], item[0])):
        row = _NO_CID if text in bad else rows.get(keys[text].multihash, _NOT_BEGUN)
        told.append(
            {
                "cid": text,
                "since": since,
                "state": str(row.state),
                "blocks": row.blocks,
                "bytes": row.bytes,
                "reason": bad.get(text, row.reason),
            }
        )
    return told
