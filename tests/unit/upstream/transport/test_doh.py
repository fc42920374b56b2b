"""DNS over HTTPS, as far as HTTP goes."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.errors import UpstreamError, UpstreamRefused
from gateway.upstream.transport.doh import DohClient
from tests.fakes import record_upstream as acts
from tests.fakes.clock import FakeClock
from tests.fakes.record_upstream import Behaviour, RecordUpstream, says

MESSAGE = "application/dns-message"


@pytest.fixture(name="resolver")
async def resolver_fixture() -> AsyncIterator[RecordUpstream]:
    async with RecordUpstream(says(b"answer", media_type=MESSAGE)) as resolver:
        yield resolver


async def ask(resolver: RecordUpstream, path: str = "/dns-query", query: bytes = b"\xff?") -> bytes:
    client = DohClient(resolver.url + path, FakeClock())
    try:
        return await client.exchange(query)
    finally:
        await client.close()


async def test_a_question_is_in_the_url(resolver: RecordUpstream) -> None:
    assert await ask(resolver) == b"answer"
    assert resolver.targets == ["/dns-query?dns=_z8"]
    assert resolver.headers[0]["accept"] == MESSAGE


@pytest.mark.parametrize(
    ("path", "target"),
    [
        pytest.param("", "/?dns=_z8", id="no-path"),
        pytest.param("/a/b?key=1", "/a/b?key=1&dns=_z8", id="query"),
    ],
)
async def test_any_url_will_do(resolver: RecordUpstream, path: str, target: str) -> None:
    await ask(resolver, path)
    assert resolver.targets == [target]


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param(says(b"<html>", media_type="text/html"), id="html"),
        pytest.param(says(b"{}", media_type="application/dns-json"), id="json"),
        pytest.param(says(b"", "302 Found", MESSAGE, {"location": "/"}), id="redirect"),
        pytest.param(says(b"", "500 Oops", MESSAGE), id="500"),
        pytest.param(says(b"", "404 Not Found", MESSAGE), id="404"),
        pytest.param(says(b"x" * 65_536, media_type=MESSAGE), id="large"),
        pytest.param(says(b"x", media_type=MESSAGE, more={"content-encoding": "gzip"}), id="gzip"),
        pytest.param(acts.hang_up, id="hang-up"),
    ],
)
async def test_what_is_no_dns_message_is_refused(lie: Behaviour) -> None:
    async with RecordUpstream(lie) as resolver:
        with pytest.raises(UpstreamError, match="resolver"):
            await ask(resolver)


async def test_redirects_are_not_followed(resolver: RecordUpstream) -> None:
    resolver.behaviour = says(b"", "307 Moved", MESSAGE, {"location": "/other"})
    with pytest.raises(UpstreamRefused, match="status 307"):
        await ask(resolver)
    assert len(resolver.targets) == 1


async def test_an_answer_that_nobody_asked_for_is_no_answer(resolver: RecordUpstream) -> None:
    good = says(b"1", media_type=MESSAGE)
    surplus = says(b"2", media_type=MESSAGE)

    async def chatter(writer: asyncio.StreamWriter, target: str) -> None:
        await good(writer, target)
        await surplus(writer, target)

    resolver.behaviour = chatter
    client = DohClient(resolver.url, FakeClock())
    assert [await client.exchange(b"?") for _ in range(3)] == [b"1"] * 3
    await client.close()
