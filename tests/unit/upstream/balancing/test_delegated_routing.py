"""Strangers who have what nobody else has."""

import json
from collections.abc import AsyncIterator, Collection
from functools import partial
from typing import Any

import pytest

from gateway.content.cid import Cid, parse_cid
from gateway.errors import NotFound, Unverifiable
from gateway.ports import Rejection
from gateway.settings import RoutingSettings
from gateway.upstream.balancing.delegated_routing import Router
from gateway.upstream.balancing.holders import Holders
from gateway.upstream.balancing.pool import UpstreamPool
from gateway.upstream.balancing.routing_records import HTTP
from gateway.upstream.transport.client import TrustlessClient
from tests.fakes import lies
from tests.fakes.cluster_api import ClusterApi
from tests.fakes.lying_upstream import LyingUpstream
from tests.fakes.upstream_kit import Kit, read, sample

FILE = sample(60_000)
CID = parse_cid("bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e")


class RouterApi(ClusterApi):
    """A delegated router that knows addresses for every CID."""

    addresses: list[str]
    id = "12D3KooW{:08}"
    known: Collection[str] | None = None
    """CIDs that have providers; None for all."""

    def _answer(self, path: str) -> tuple[int, bytes]:
        if self.status != 200:
            return self.status, b""
        assert path.startswith("/routing/v1/providers/")
        if self.known is not None and path.rpartition("/")[2] not in self.known:
            return 200, b'{"Providers": []}'
        providers: list[dict[str, Any]] = [
            {"Schema": "peer", "ID": self.id.format(number), "Protocols": [HTTP], "Addrs": [a]}
            for number, a in enumerate(self.addresses)
        ]
        return 200, json.dumps({"Providers": providers}).encode()


@pytest.fixture(name="api")
async def api_fixture() -> AsyncIterator[RouterApi]:
    async with RouterApi() as api:
        api.addresses = []
        yield api


@pytest.fixture(name="stranger")
async def stranger_fixture(api: RouterApi) -> AsyncIterator[LyingUpstream]:
    async with LyingUpstream(FILE.blocks, name="stranger") as stranger:
        port = stranger.settings.url.rpartition(":")[2]
        api.addresses = [f"/dns4/localhost/tcp/{port}/http"]
        yield stranger


@pytest.fixture(name="kit")
async def kit_fixture(api: RouterApi) -> AsyncIterator[Kit]:
    settings = RoutingSettings(url=api.url, requests="20/minute", allow_private=True)
    async with (
        LyingUpstream(name="lacks") as lacks,
        Kit(lacks.settings, may_be=lambda _: True, holders=partial(_routed, settings)) as kit,
    ):
        yield kit
        await _close_router(kit)


def _routed(settings: RoutingSettings, pool: UpstreamPool, client: TrustlessClient) -> Holders:
    return Holders(pool, client, router=Router(settings, pool, pool.clock))


async def _close_router(kit: Kit) -> None:
    assert kit.context.holders.router is not None
    await kit.context.holders.router.close()


async def test_a_provider_is_asked_when_nobody_else_has_it(
    kit: Kit, stranger: LyingUpstream
) -> None:
    session = kit.retrieval.open_session(None)
    assert await read(session, FILE.cid) == FILE.content
    await session.close()
    assert {c.upstream for c in session.trace.choices} == {"lacks", "provider-00000000"}
    assert [logged.step for logged in stranger.log] == ["raw", "car"]


async def test_a_provider_is_not_asked_for_anything_else(
    kit: Kit, api: RouterApi, stranger: LyingUpstream
) -> None:
    await kit.read(FILE.cid)
    asked = len(stranger.log)
    api.addresses = []
    with pytest.raises(NotFound, match=r"\[lacks"):
        await kit.read(CID)
    assert len(stranger.log) == asked


@pytest.mark.parametrize("known", ["leaf", "file"])
async def test_a_provider_is_asked_for_a_part_that_nobody_else_has(
    kit: Kit, api: RouterApi, stranger: LyingUpstream, known: str
) -> None:
    """issue 12, 17: of a part, too, and also by the CID of the file that it is of."""
    leaf = FILE.blocks[0].cid
    api.known = {str(leaf if known == "leaf" else FILE.cid)}
    await keep_all_but(kit, leaf)
    assert await kit.read(FILE.cid) == FILE.content
    assert {logged.cid for logged in stranger.log} <= {leaf, FILE.cid}


async def test_the_router_is_asked_once_for_a_part(kit: Kit, api: RouterApi) -> None:
    """issue 12, 17."""
    leaf = FILE.blocks[0].cid
    await keep_all_but(kit, leaf)
    for _ in range(3):
        with pytest.raises(NotFound, match=f"^{leaf} was not found"):
            await kit.read(FILE.cid)
    asked = [head.split()[1].rpartition("/")[2] for head in api.log]
    assert asked == [str(leaf), str(FILE.cid)]


async def keep_all_but(kit: Kit, absent: Cid) -> None:
    for block in FILE.blocks:
        if block.cid != absent:
            await kit.store.keep(block)


async def test_strangers_have_one_label_together_whatever_they_do(
    kit: Kit, api: RouterApi, stranger: LyingUpstream
) -> None:
    """issue 12, 14: a lie of each made a series of its own."""
    stranger.behaviour = lies.flip()
    api.addresses *= 3
    with pytest.raises(Unverifiable, match="provider-00000002"):
        await kit.read(FILE.cid)
    assert set(kit.observer.rejected) == {(Rejection.MISMATCH, "routed")}


async def test_an_id_that_is_none_reaches_no_header(
    kit: Kit, api: RouterApi, stranger: LyingUpstream
) -> None:
    """issue 12, 14."""
    api.id = '12D3KooW"\r\nX-Evil: {:08}'
    with pytest.raises(NotFound, match=r"\[lacks .*\]$") as caught:
        await kit.read(FILE.cid)
    assert {attempt.upstream for attempt in caught.value.attempts} == {"lacks"}
    assert stranger.connections == 0


async def test_what_the_provider_lacks_too_is_not_found(kit: Kit, stranger: LyingUpstream) -> None:
    stranger.blocks.clear()
    with pytest.raises(NotFound, match=r"lacks .*provider-00000000 \(raw\): does not have"):
        await kit.read(FILE.cid)


async def test_nobody_is_asked_when_nobody_is_known(kit: Kit) -> None:
    with pytest.raises(NotFound, match="lacks"):
        await kit.read(FILE.cid)


async def test_a_router_that_fails_changes_nothing(kit: Kit, api: RouterApi) -> None:
    api.status = 500
    with pytest.raises(NotFound, match="lacks"):
        await kit.read(FILE.cid)


async def test_the_router_has_its_budget(kit: Kit, api: RouterApi) -> None:
    for number in range(10):
        with pytest.raises(NotFound, match="lacks"):
            await kit.read(sample(8 * (200 + number)).cid)
    assert len(api.log) == 2


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("/ip4/127.0.0.1/tcp/{port}/http", id="loopback"),
        pytest.param("/ip6/::ffff:127.0.0.1/tcp/{port}/http", id="mapped"),
        pytest.param("/dns4/localhost/tcp/{port}/http", id="name"),
    ],
)
async def test_private_addresses_are_not_connected_to(
    api: RouterApi, stranger: LyingUpstream, address: str
) -> None:
    port = stranger.settings.url.rpartition(":")[2]
    api.addresses = [address.format(port=port)]
    routed = partial(_routed, RoutingSettings(url=api.url))
    async with LyingUpstream(name="lacks") as lacks, Kit(lacks.settings, holders=routed) as kit:
        with pytest.raises(Exception, match="lacks"):
            await kit.read(FILE.cid)
        await _close_router(kit)
    assert stranger.connections == 0
