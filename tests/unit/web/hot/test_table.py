"""The table of finished answers: what it answers, and what it leaves to the slow path."""

from dataclasses import replace

import pytest

from gateway.ops.record import RequestKind
from gateway.web.hot.accept import raw_key
from gateway.web.hot.known_heads import Ready
from gateway.web.hot.table import MAX_HOSTS, MAX_TARGET_BYTES, HotEntry, HotTable
from tests.fakes.requests import RECORD

TARGET = b"/ipfs/bafkqaaa"
HOST = (b"host", b"example.com")
ENTRY = HotEntry(
    head=b"content-length: 4\r\na: b\r\n",
    head_around=(b"", b"a: b\r\n"),
    head_unchanged=b"a: b\r\n",
    etag=b'"etag"',
    body=b"body",
    root="bafkqaaa",
    kind=RequestKind.FILE,
)


@pytest.fixture(name="table")
def table_fixture() -> HotTable:
    table = HotTable(1 << 20)
    table.put(TARGET, b"example.com", b"", ENTRY)
    return table


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param([], id="host-only"),
        pytest.param([(b"accept", b"*/*")], id="curl"),
        pytest.param([(b"accept", b"text/html,application/xhtml+xml,*/*;q=0.8")], id="browser"),
        pytest.param([(b"accept", b"image/avif,image/webp,*/*")], id="image"),
        pytest.param([(b"cookie", b"a=1"), (b"cookie", b"b=2")], id="two-cookies"),
        pytest.param([(b"x-forwarded-proto", b"https")], id="proxy"),
        pytest.param([(b"x-forwarded-host", b"example.com")], id="proxy-with-the-same-host"),
    ],
)
def test_find_answers_a_plain_request(table: HotTable, extra: list[tuple[bytes, bytes]]) -> None:
    found = table.find(TARGET, [HOST, *extra])
    assert found is not None
    assert found.entry is ENTRY
    assert not found.is_unchanged


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="no-host"),
        pytest.param([(b"host", b"a/b?c=")], id="host-not-seen-before"),
        pytest.param([HOST, HOST], id="two-hosts"),
        pytest.param([HOST, (b"range", b"bytes=0-1")], id="range"),
        pytest.param([HOST, (b"cache-control", b"only-if-cached")], id="cache-control"),
        pytest.param([HOST, (b"service-worker", b"script")], id="service-worker"),
        pytest.param([HOST, (b"content-length", b"3")], id="body"),
        pytest.param([HOST, (b"transfer-encoding", b"chunked")], id="chunked-body"),
        pytest.param([HOST, (b"if-none-match", b'"other"')], id="other-etag"),
        pytest.param([HOST, (b"accept", b"application/vnd.ipld.raw")], id="raw"),
        pytest.param([HOST, (b"accept", b"text/html, application/json")], id="json-too"),
        pytest.param([HOST, (b"x-unheard-of", b"1")], id="unknown-header"),
        pytest.param([HOST, (b"x-forwarded-host", b"other")], id="proxy-with-another-host"),
    ],
)
def test_find_leaves_anything_unusual(table: HotTable, headers: list[tuple[bytes, bytes]]) -> None:
    assert table.find(TARGET, headers) is None


def test_find_recognises_its_own_etag(table: HotTable) -> None:
    found = table.find(TARGET, [HOST, (b"if-none-match", b'"etag"')])
    assert found is not None
    assert found.is_unchanged


def test_find_hands_on_what_the_log_needs(table: HotTable) -> None:
    found = table.find(
        TARGET,
        [HOST, (b"user-agent", b"ua"), (b"referer", b"r"), (b"x-forwarded-for", b"192.0.2.1")],
    )
    assert found is not None
    assert (found.user_agent, found.referer, found.forwarded_for) == (b"ua", b"r", b"192.0.2.1")


def test_a_site_of_its_own_has_answers_of_its_own(table: HotTable) -> None:
    other = replace(ENTRY, body=b"other")
    site = b"x.ipfs.example.com"
    table.put(site + TARGET, site, site, other)
    found = table.find(TARGET, [(b"host", site)])
    assert found is not None
    assert found.entry is other
    table.put(site + b"/only-here", site, site, other)
    assert table.find(b"/only-here", [HOST]) is None


def test_clear_forgets_everything(table: HotTable) -> None:
    table.clear()
    assert (len(table), table.size_bytes) == (0, 0)
    assert table.find(TARGET, [HOST]) is None


def test_put_keeps_the_size_within_the_capacity() -> None:
    table = HotTable(5 * ENTRY.size_bytes)
    for number in range(20):
        table.put(b"/%d" % number, b"h", b"", ENTRY)
    assert len(table) == 5
    assert table.size_bytes == 5 * ENTRY.size_bytes


def test_put_evicts_what_was_not_used_first() -> None:
    table = HotTable(4 * ENTRY.size_bytes)
    for number in range(4):
        table.put(b"/%d" % number, b"example.com", b"", ENTRY)
    table.find(b"/0", [HOST])
    table.put(b"/4", b"example.com", b"", ENTRY)
    assert table.find(b"/0", [HOST]) is not None
    assert table.find(b"/1", [HOST]) is None


def test_heads_count_and_make_room() -> None:
    table = HotTable(5 * ENTRY.size_bytes)
    for number in range(4):
        table.put(b"/%d" % number, b"example.com", b"", ENTRY)
    ready = Ready(b"/3", (b"", b""), b"", (), RECORD, lambda _: None)
    table.learn(b"head", ready)
    table.learn(b"head", ready)
    table.learn(b"of nothing", Ready(b"/9", (b"", b""), b"", (), RECORD, lambda _: None))
    assert list(table.heads.ready) == [b"head"]
    assert table.size_bytes <= 5 * ENTRY.size_bytes
    assert table.find(b"/0", [HOST]) is None
    assert table.find(b"/3", [HOST]) is not None


def test_an_entry_that_goes_takes_its_heads_along() -> None:
    table = HotTable(8 * ENTRY.size_bytes)
    table.put(b"/0", b"example.com", b"", ENTRY)
    table.learn(b"head", Ready(b"/0", (b"", b""), b"", (), RECORD, lambda _: None))
    for number in range(1, 20):
        table.put(b"/%d" % number, b"example.com", b"", ENTRY)
    assert table.heads.ready == {}


def test_an_entry_that_is_touched_stays() -> None:
    table = HotTable(4 * ENTRY.size_bytes)
    for number in range(4):
        table.put(b"/%d" % number, b"example.com", b"", ENTRY)
    table.touch(b"/0")
    table.put(b"/4", b"example.com", b"", ENTRY)
    assert b"/0" in table


@pytest.mark.parametrize(
    ("target", "capacity"),
    [
        pytest.param(b"/" + b"a" * MAX_TARGET_BYTES, 1 << 20, id="long-target"),
        pytest.param(TARGET, 1024, id="small-table"),
    ],
)
def test_put_refuses_what_does_not_fit(target: bytes, capacity: int) -> None:
    table = HotTable(capacity)
    table.put(target, b"example.com", b"", ENTRY)
    assert len(table) == 0


def test_many_hosts_do_not_switch_hot_answers_off_for_later_ones() -> None:
    """A subdomain gateway has as many hosts as roots (issue 12, 22)."""
    table = HotTable(1 << 20)
    for number in range(3 * MAX_HOSTS):
        table.put(TARGET, b"%d.example" % number, b"", ENTRY)
        assert table.find(TARGET, [(b"host", b"0.example")]) is not None
    assert table.find(TARGET, [(b"host", b"%d.example" % (3 * MAX_HOSTS - 1))]) is not None
    assert table.find(TARGET, [(b"host", b"1.example")]) is None


def test_a_raw_block_and_a_file_are_never_taken_for_each_other(table: HotTable) -> None:
    raw = (b"accept", b"application/vnd.ipld.raw")
    assert table.find(TARGET, [HOST, raw]) is None
    table.put(raw_key(TARGET), b"example.com", b"", replace(ENTRY, body=b"raw"))
    found = [table.find(TARGET, [HOST, *more]) for more in ([raw], [], [raw], [(raw[0], b"*/*")])]
    assert [one.entry.body for one in found if one] == [b"raw", b"body", b"raw", b"body"]


def test_a_raw_block_alone_is_no_answer_to_others(table: HotTable) -> None:
    table.put(raw_key(b"/ipfs/other"), b"example.com", b"", ENTRY)
    assert table.find(b"/ipfs/other", [HOST]) is None
    assert table.find(b"/ipfs/other", [HOST, (b"accept", b"*/*")]) is None


@pytest.mark.parametrize("accept", [b"*/*", b"application/vnd.ipld.raw", b"application/json", b"x"])
def test_where_the_target_names_the_format_accept_does_not_matter(
    table: HotTable, accept: bytes
) -> None:
    table.put(b"/ipfs/x?format=raw", b"example.com", b"", replace(ENTRY, is_for_all=True))
    assert table.find(b"/ipfs/x?format=raw", [HOST, (b"accept", accept)]) is not None


def test_a_host_is_forgotten_when_its_time_is_over_and_its_answers_are_not(table: HotTable) -> None:
    """Issue 12, 6: the DNS may say something else by then."""
    table.put(TARGET, b"new.example", b"", ENTRY, until=10.0)
    new, old = b"GET / HTTP/1.1\r\nHOST:  new.example \r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"
    for head in (new, old):
        table.learn(head, Ready(TARGET, (b"", b""), b"", (), RECORD, lambda _: None))
    table.expire(9.9)
    assert table.find(TARGET, [(b"host", b"new.example")]) is not None
    table.expire(10.0)
    assert table.find(TARGET, [(b"host", b"new.example")]) is None
    assert table.find(TARGET, [HOST]) is not None
    assert list(table.heads.ready) == [old]
    table.expire(11.0)
    table.put(TARGET, b"new.example", b"", ENTRY, until=20.0)
    assert table.find(TARGET, [(b"host", b"new.example")]) is not None
