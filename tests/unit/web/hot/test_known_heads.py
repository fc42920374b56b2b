"""Heads that are known to the byte: bounded, and counted whatever becomes of them."""

import pytest

from gateway.web.hot.known_heads import HEADS_PER_ENTRY, KnownHeads, Ready
from tests.fakes.requests import RECORD


def ready(key: bytes, counted: list[int]) -> Ready:
    return Ready(key, (b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"), b"body", (), RECORD, counted.append)


def test_the_opening_has_the_date_between_status_and_fields() -> None:
    one = ready(b"/a", [])
    one.date([(b"date", b"today")])
    assert one.opening == b"HTTP/1.1 200 OK\r\ndate: today\r\na: b\r\n"


def test_settle_counts_what_was_sent_once() -> None:
    counted: list[int] = []
    heads, one = KnownHeads(), ready(b"/a", counted)
    heads.learn(b"head", one)
    one.times = 3
    heads.settle()
    heads.settle()
    assert counted == [3]


@pytest.mark.parametrize("end", ["forget", "clear"])
def test_what_was_sent_is_counted_when_a_head_goes(end: str) -> None:
    counted: list[int] = []
    heads, one = KnownHeads(), ready(b"/a", counted)
    heads.learn(b"head", one)
    one.times = 2
    {"forget": lambda: heads.forget(b"/a"), "clear": heads.clear}[end]()
    assert (counted, heads.ready, heads.size_bytes) == ([2], {}, 0)


def test_an_entry_has_a_bounded_number_of_heads() -> None:
    heads = KnownHeads()
    for number in range(HEADS_PER_ENTRY + 2):
        heads.learn(b"%03d" % number, ready(b"/a", []))
    assert list(heads.ready) == [b"%03d" % number for number in range(2, HEADS_PER_ENTRY + 2)]


def test_forget_leaves_the_heads_of_others() -> None:
    heads = KnownHeads()
    heads.learn(b"one", ready(b"/a", []))
    heads.learn(b"other", ready(b"/b", []))
    heads.forget(b"/a")
    heads.forget(b"/never-here")
    assert list(heads.ready) == [b"other"]


def test_a_head_has_to_come_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.web.hot.known_heads.MAX_SEEN", 2)
    heads = KnownHeads()
    assert [heads.has_come_before(head) for head in (b"a", b"b", b"a")] == [False, False, True]
    assert [heads.has_come_before(head) for head in (b"c", b"d", b"b")] == [False, False, False]
