"""The endpoint: routing by raw path, problems, limits, and bodies that break off."""

import asyncio

import pytest

from gateway.ops.record import Outcome
from gateway.ports import Choice
from gateway.settings import LimitsSettings
from tests.unit.web.conftest import PAGE, Listening


@pytest.mark.parametrize(
    ("target", "status", "text"),
    [
        pytest.param("/", 200, b"IPFS", id="landing"),
        pytest.param("/ipfs/{root}/a.txt", 200, PAGE, id="file"),
        pytest.param("/ipfs/{root}/", 200, PAGE, id="index"),
        pytest.param("/ipfs/{root}", 301, b"", id="slash"),
        pytest.param("/ipfs/ipfs/{root}/", 301, b"", id="superfluous-namespace"),
        pytest.param("/ipfs/{root}/nope", 404, b"no link named", id="no-such-name"),
        pytest.param("/ipfs/{root}/%2e%2e/x", 400, b"above its root", id="above-the-root"),
        pytest.param("/ipfs/{root}/%ff", 404, b'no link named "%FF"', id="not-utf-8"),
        pytest.param("/ipfs/{root}/a%00", 400, b"", id="nul"),
        pytest.param("/ipfs/{root}/a%zz", 400, b"", id="bad-escape"),
        pytest.param("/ipfs/QmInvalidCID", 400, b"invalid path", id="bad-cid"),
        pytest.param("/ipfs/bafkqaaa?format=raw", 200, b"", id="probe"),
        pytest.param("/ipfs/{document}/b", 501, b"is inside the block", id="inside"),
        pytest.param("/ipfs/{document}/b/d", 404, b"no link named", id="no-such-field"),
        pytest.param("/ipfs/{document}?format=tar", 406, b"no TAR can be made", id="no-tar"),
        pytest.param("/ipfs/{document}?format=dag-json", 406, b"not dag-json", id="no-conversion"),
        pytest.param("/ipfs/{root}?format=ipns-record", 400, b"/ipns/", id="no-record"),
        pytest.param("/metrics", 404, b"nothing at", id="no-metrics-here"),
        pytest.param("/ipfs/../metrics", 400, b"", id="not-by-dots"),
        pytest.param("/api/v1/cache", 404, b"", id="no-admin-here"),
        pytest.param("*", 400, b"slash", id="asterisk"),
        pytest.param("http://evil/ipfs/{root}/a.txt", 200, PAGE, id="absolute-form"),
    ],
)
async def test_a_target_gets_its_answer(
    listening: Listening, target: str, status: int, text: bytes
) -> None:
    answer = await listening.get(target.format(root=listening.root, document=listening.document))
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert text in answer
    assert b"access-control-allow-origin: *" in answer


@pytest.mark.parametrize(
    ("target", "accept", "kind"),
    [
        pytest.param("/ipfs/{root}/a.txt", "*/*", "unixfs_file", id="file"),
        pytest.param("/ipfs/{root}/", "*/*", "unixfs_dir_indexhtml", id="index"),
        pytest.param("/ipfs/{root}?format=raw", "*/*", "raw_block", id="raw"),
        pytest.param("/ipfs/{root}?format=car", "*/*", "car_stream", id="car"),
        pytest.param("/ipfs/{root}?format=tar", "*/*", "tar_stream", id="tar"),
        pytest.param("/ipfs/{document}", "*/*", "jsoncbor", id="document"),
        pytest.param("/ipfs/{document}?format=cbor", "*/*", "jsoncbor", id="as-cbor"),
        pytest.param("/ipfs/{document}", "text/html", "jsoncbor", id="page-of-a-document"),
        pytest.param("/ipfs/{document}/a/a.txt", "*/*", "unixfs_file", id="file-behind-it"),
        pytest.param("/ipfs/{document}/b", "*/*", "other", id="inside"),
    ],
)
async def test_an_answer_is_counted_as_what_it_is(
    listening: Listening, target: str, accept: str, kind: str
) -> None:
    path = target.format(root=listening.root, document=listening.document)
    await listening.get(path, f"Accept: {accept}")
    assert listening.records.finished[-1].kind == kind


async def test_browsers_and_programs_never_get_each_others_answer(listening: Listening) -> None:
    target = f"/ipfs/{listening.document}"
    accepts = ("*/*", "*/*", "text/html", "text/html", "*/*", "application/cbor")
    answers = [await listening.get(target, f"Accept: {accept}") for accept in accepts]
    types = [
        line.partition(b": ")[2]
        for answer in answers
        for line in answer.split(b"\r\n")
        if line.startswith(b"content-type")
    ]
    assert types == [
        b"application/vnd.ipld.dag-cbor",
        b"application/vnd.ipld.dag-cbor",
        b"text/html",
        b"text/html",
        b"application/vnd.ipld.dag-cbor",
        b"application/cbor",
    ]
    assert all(b"\r\nvary: Accept\r\n" in answer for answer in answers)


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "TRACE", "PATCH"])
async def test_writing_methods_are_refused(listening: Listening, method: str) -> None:
    answer = await listening.get(f"/ipfs/{listening.root}/", method=method)
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert b"allow: GET, HEAD, OPTIONS" in answer


async def test_options_needs_no_content(listening: Listening) -> None:
    answer = await listening.get("/ipfs/whatever", method="OPTIONS")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert not listening.retriever.sessions


@pytest.mark.parametrize("tells", [True, False])
async def test_who_was_asked_is_told(listening: Listening, tells: bool) -> None:  # noqa: FBT001 (a table)
    async def ask(_: object) -> None:
        listening.retriever.sessions[0].trace.choices.append(Choice("stockholm-1", "nearest"))

    listening.retriever.near.clear()
    listening.retriever.before_get = ask
    listening.endpoint.tells_choices = tells
    answer = await listening.get(f"/ipfs/{listening.root}/a.txt")
    assert b'fetch;dur=0.0;desc="stockholm-1 nearest"' in answer
    assert (b"x-ipfs-upstream: stockholm-1; reason=nearest; in-flight=0" in answer) is tells


async def test_a_session_is_closed_after_its_answer(listening: Listening) -> None:
    await listening.get(f"/ipfs/{listening.root}/a.txt")
    assert [session.is_closed for session in listening.retriever.sessions] == [True]


async def test_what_is_not_there_is_404_and_names_who_was_asked(listening: Listening) -> None:
    listening.forget(*listening.blocks)
    answer = await listening.get(f"/ipfs/{listening.root}/a.txt")
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"far (raw): does not have it" in answer
    assert b"cache-control: no-store" in answer


@pytest.mark.parametrize("format_", ["car", "tar"])
async def test_a_body_that_breaks_off_never_looks_complete(
    listening: Listening, format_: str
) -> None:
    listening.forget(listening.blocks[0])
    answer = await listening.get(f"/ipfs/{listening.root}?format={format_}")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert not answer.endswith(b"0\r\n\r\n")
    assert listening.records.finished[-1].outcome is Outcome.TRUNCATED


async def test_a_client_over_its_limit_gets_429() -> None:
    listening = Listening(LimitsSettings(requests="1/minute", burst=1), is_hot=False)
    await listening.start()
    answers = [await listening.get("/") for _ in range(3)]
    await listening.stop()
    assert answers[0].startswith(b"HTTP/1.1 200 ")
    assert b"ratelimit-remaining" in answers[0].lower()
    assert answers[2].startswith(b"HTTP/1.1 429 ")
    assert b"retry-after: " in answers[2]


async def test_a_client_that_leaves_is_noted(listening: Listening) -> None:
    entered = asyncio.Event()
    forever = asyncio.Event()

    async def never(_: object) -> None:
        entered.set()
        await forever.wait()

    listening.forget(*listening.blocks)
    listening.retriever.before_get = never
    _, writer = await asyncio.open_connection("127.0.0.1", listening.port)
    writer.write(f"GET /ipfs/{listening.root}/ HTTP/1.1\r\nHost: h\r\n\r\n".encode())
    await entered.wait()
    writer.close()
    async with asyncio.timeout(5):
        await listening.records.has_finished.wait()
    assert listening.records.finished[0].outcome is Outcome.LEFT
    assert listening.retriever.sessions[0].is_closed
