"""Answers that need no application are whole ones."""

import pytest

from gateway.web.connection.refusals import refusal


@pytest.mark.parametrize("status", [400, 408, 414, 429, 431])
def test_a_refusal_is_a_whole_answer_and_the_last_one(status: int) -> None:
    head, _, body = refusal(status, [(b"date", b"now")]).partition(b"\r\n\r\n")
    line, *lines = head.split(b"\r\n")
    fields = dict(text.split(b": ", 1) for text in lines)
    assert line.startswith(b"HTTP/1.1 %d " % status)
    assert int(fields[b"content-length"]) == len(body)
    assert (fields[b"connection"], fields[b"date"]) == (b"close", b"now")
    assert fields[b"cache-control"] == b"no-store"
