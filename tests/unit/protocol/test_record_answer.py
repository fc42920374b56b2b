"""Answers with IPNS records."""

import pytest

from gateway.content.names import parse_key
from gateway.errors import PreconditionFailed
from gateway.protocol.answer import NO_BODY, BodyBytes
from gateway.protocol.record_answer import record_answer
from tests.fakes.gateway_requests import make_request

TEXT = "k51qzi5uqu5dk3v4rmjber23h16xnr23bsggmqqil9z2gduiis5se8dht36dam"
KEY = parse_key(TEXT)


def test_a_record_is_sent_as_it_was_signed() -> None:
    request = make_request(f"/ipns/{TEXT}", "format=ipns-record")
    answer = record_answer(request, KEY, b"signed", 90)
    fields = dict(answer.headers)
    assert (answer.status, answer.body) == (200, BodyBytes(b"signed"))
    assert fields[b"content-type"] == b"application/vnd.ipfs.ipns-record"
    assert fields[b"content-length"] == b"6"
    assert fields[b"cache-control"] == b"public, max-age=90"
    assert fields[b"content-disposition"].startswith(b"attachment; filename=")
    assert fields[b"x-content-type-options"] == b"nosniff"
    assert fields[b"x-ipfs-path"] == f"/ipns/{TEXT}".encode()


def test_a_head_has_no_body() -> None:
    request = make_request(f"/ipns/{TEXT}", "format=ipns-record&filename=a.bin", "HEAD")
    answer = record_answer(request, KEY, b"signed", 90)
    assert answer.body is NO_BODY
    assert b'filename="a.bin"' in dict(answer.headers)[b"content-disposition"]


def test_another_record_has_another_tag() -> None:
    request = make_request(f"/ipns/{TEXT}", "format=ipns-record")
    tags = {dict(record_answer(request, KEY, data, 1).headers)[b"etag"] for data in (b"a", b"b")}
    assert len(tags) == 2
    tag = min(tags).decode()
    assert tag.startswith('"')
    assert tag.endswith('"')


def test_a_known_record_is_not_sent_again() -> None:
    first = record_answer(make_request(f"/ipns/{TEXT}", "format=ipns-record"), KEY, b"signed", 90)
    tag = dict(first.headers)[b"etag"].decode()
    request = make_request(f"/ipns/{TEXT}", "format=ipns-record", if_none_match=tag)
    assert record_answer(request, KEY, b"signed", 90).status == 304


def test_a_precondition_can_fail() -> None:
    request = make_request(f"/ipns/{TEXT}", "format=ipns-record", if_match='"other"')
    with pytest.raises(PreconditionFailed, match="does not hold"):
        record_answer(request, KEY, b"signed", 90)
