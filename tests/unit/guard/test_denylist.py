"""Lists of the operator: read at the start, followed, and never dropped for a mistake."""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.content.cid import parse_cid
from gateway.content.deny_rules import MAX_LINE_BYTES
from gateway.content.path import parse_path
from gateway.errors import BadSetting, Denied
from gateway.guard import denylist as module
from gateway.guard.denylist import MAX_LOGGED_LINES, Denylist, check_lists
from gateway.ports import Denials
from tests.fakes.blocks import numbered
from tests.fakes.clock import FakeClock

ONE, OTHER, THIRD = (str(numbered(number, 100).cid) for number in range(3))

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def settle_fixture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SETTLE_S", 0.0)


@pytest.fixture(name="write")
def write_fixture(tmp_path: Path) -> Write:
    def write(*lines: str, name: str = "a.deny") -> Path:
        file = tmp_path / name
        unfinished = tmp_path / "unfinished"
        unfinished.write_text("".join(f"{line}\n" for line in lines))
        unfinished.replace(file)
        return file

    return write


def open_lists(*places: Path, clock: FakeClock | None = None) -> Denylist:
    return Denylist([str(place) for place in places], clock or FakeClock())


def blocked(lists: Denials, *texts: str) -> list[str]:
    found = []
    for text in texts:
        try:
            lists.check(parse_path(f"/ipfs/{text}".encode()))
        except Denied:
            found.append(text)
    return found


def test_what_is_listed_is_blocked(write: Write) -> None:
    lists = open_lists(write(f"/ipfs/{ONE}", f"/ipfs/{OTHER}/secret*"))
    asked = (ONE, f"{ONE}/a", OTHER, f"{OTHER}/secrets", THIRD)
    assert blocked(lists, *asked) == [ONE, f"{ONE}/a", f"{OTHER}/secrets"]


def test_a_blocked_name_is_blocked_with_all_below_it(write: Write) -> None:
    lists = open_lists(write("/ipns/a.example", "/ipns/b.example/x"))
    for path, is_blocked in {
        "/ipns/a.example": True,
        "/ipns/a.example/x": True,
        "/ipns/b.example": False,
        "/ipns/b.example/x": True,
        "/ipns/b.example/x/y": False,
    }.items():
        try:
            lists.check(parse_path(path.encode()))
        except Denied:
            assert is_blocked
        else:
            assert not is_blocked


def test_an_error_says_what_and_why_and_for_the_log_where(write: Write) -> None:
    lists = open_lists(write("", f"/ipfs/{ONE} gateway_status:451 reason:order%207"))
    with pytest.raises(Denied, match=f"/ipfs/{ONE} is blocked .*: order 7") as caught:
        lists.check(parse_path(f"/ipfs/{ONE}".encode()))
    assert (caught.value.where, caught.value.is_by_law) == ("a.deny:2", True)


def test_blocks_are_checked_by_multihash(write: Write) -> None:
    lists = open_lists(write(f"/ipfs/{ONE}"))
    for _ in range(2):  # the second time from what is remembered
        with pytest.raises(Denied, match="is blocked"):
            lists.check_block(parse_cid(ONE))
        lists.check_block(parse_cid(OTHER))
    assert lists.state()["denied"] == 2


def test_remembered_blocks_are_bounded(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KNOWN_BLOCKS", 2)
    lists = open_lists(write(f"/ipfs/{ONE}"))
    for number in range(2, 9):
        lists.check_block(numbered(number, 100).cid)
    assert len(lists._known) == 2
    assert blocked(lists, ONE) == [ONE]


def test_a_folder_is_read_in_the_order_of_names(write: Write, tmp_path: Path) -> None:
    write(f"/ipfs/{ONE}", f"/ipfs/{OTHER}", name="10.deny")
    write(f"!/ipfs/{ONE}", name="20.deny")
    write(f"/ipfs/{THIRD}", name="30.txt")
    lists = open_lists(tmp_path)
    assert blocked(lists, ONE, OTHER, THIRD) == [OTHER]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"version: 2\n---\n", id="version"),
        pytest.param(b"a: [\n---\n", id="header"),
        pytest.param(None, id="not-there"),
    ],
)
def test_a_list_that_cannot_be_read_stops_the_start(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "a.deny"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BadSetting, match=r"denylist\.files: .*a\.deny"):
        open_lists(file)


def test_lines_that_are_no_rules_are_told_and_left_out(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    bad = ["nothing"] * (MAX_LOGGED_LINES + 1)
    with caplog.at_level(logging.INFO):
        lists = open_lists(write("name: a", "---", f"/ipfs/{ONE}", *bad))
    assert blocked(lists, ONE, OTHER) == [ONE]
    assert "line 4: a rule is" in caplog.text
    assert f"{MAX_LOGGED_LINES + 1} lines skipped" in caplog.text


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param(b"\xff", "not UTF-8", id="not-utf-8"),
        pytest.param(b"x" * MAX_LINE_BYTES, "longer than", id="too-long"),
    ],
)
def test_lines_that_cannot_be_read_are_left_out(tmp_path: Path, line: bytes, reason: str) -> None:
    file = tmp_path / "a.deny"
    file.write_bytes(line + f"\n/ipfs/{ONE}".encode())
    (told,) = check_lists([str(file)])
    assert (told.rules, told.skipped_count) == (1, 1)
    assert reason in told.skipped[0]


async def test_a_changed_list_is_in_force_after_a_look(write: Write) -> None:
    clock = FakeClock()
    file = write(f"/ipfs/{ONE}")
    lists = open_lists(file, clock=clock)
    lists.check_block(parse_cid(OTHER))
    assert not await lists.look()
    with file.open("a") as opened:
        opened.write(f"/ipfs/{OTHER}\n")
    clock.advance(5)
    assert await lists.look()
    assert blocked(lists, ONE, OTHER) == [ONE, OTHER]
    assert lists.state()["read_at"] == clock.now()
    write(f"/ipfs/{THIRD}")
    assert await lists.look()
    assert blocked(lists, ONE, OTHER, THIRD) == [THIRD]


async def test_files_come_and_go_in_a_folder(write: Write, tmp_path: Path) -> None:
    lists = open_lists(tmp_path)
    assert blocked(lists, ONE) == []
    file = write(f"/ipfs/{ONE}")
    assert await lists.look()
    assert blocked(lists, ONE) == [ONE]
    file.unlink()
    assert await lists.look()
    assert blocked(lists, ONE) == []


async def test_a_folder_that_cannot_be_read_is_no_folder_without_lists(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 12, 8: a failure that is read as a no."""
    write(f"/ipfs/{ONE}")
    lists = open_lists(tmp_path)

    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "listdir", refuse)  # root may read any folder
    monkeypatch.setattr(os, "scandir", refuse)
    assert not await lists.look()
    assert blocked(lists, ONE) == [ONE]
    assert "Permission denied" in str(lists.state()["problem"])
    with pytest.raises(BadSetting, match="Permission denied"):
        open_lists(tmp_path)


async def test_the_last_good_rules_stay(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    file = write(f"/ipfs/{ONE}")
    lists = open_lists(file)
    file.unlink()
    assert [await lists.look() for _ in range(3)] == [False] * 3
    assert blocked(lists, ONE) == [ONE]
    assert "a.deny" in str(lists.state()["problem"])
    write("version: 9", "---")
    assert not await lists.look()
    assert blocked(lists, ONE) == [ONE]
    assert caplog.text.count("stay in force") == 2
    write(f"/ipfs/{OTHER}")
    assert await lists.look()
    assert blocked(lists, ONE, OTHER) == [OTHER]
    assert lists.state()["problem"] == ""


HTML = b"<!DOCTYPE html>\n<html><body>502 Bad Gateway</body></html>\n"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(HTML, "has no valid rule", id="error-page"),
        pytest.param(b"# to do\n", "has no valid rule", id="comments-alone"),
        pytest.param(f"/ipfs/{OTHER}\n/ipfs/{THIRD}/sec".encode(), "ends inside a line", id="cut"),
    ],
)
async def test_a_list_that_is_being_written_leaves_the_last_rules_in_force(
    write: Write, caplog: pytest.LogCaptureFixture, content: bytes, problem: str
) -> None:
    """Issue 12, 8: it dropped its rules within 3 s, and said that all was well."""
    file = write(f"/ipfs/{ONE}")
    lists = open_lists(file)
    file.write_bytes(content)
    assert [await lists.look() for _ in range(3)] == [False] * 3
    assert blocked(lists, ONE, OTHER) == [ONE]
    assert problem in str(lists.state()["problem"])
    assert caplog.text.count("stay in force") == 1
    write(f"/ipfs/{OTHER}")
    assert await lists.look()
    assert blocked(lists, ONE, OTHER) == [OTHER]
    assert lists.state()["problem"] == ""


async def test_a_list_that_changes_while_it_is_looked_at_is_read_later(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = open_lists(write(f"/ipfs/{ONE}"))
    file = write(f"/ipfs/{OTHER}")
    read_lists = module.read_lists

    def read_while_it_is_written(places: list[str]) -> module.Lists:
        found = read_lists(places)
        file.write_bytes(f"/ipfs/{OTHER}\n/ipfs/{THIRD}\n".encode())
        return found

    monkeypatch.setattr(module, "read_lists", read_while_it_is_written)
    assert not await lists.look()
    assert blocked(lists, ONE, OTHER) == [ONE]
    monkeypatch.setattr(module, "read_lists", read_lists)
    assert await lists.look()
    assert blocked(lists, ONE, OTHER, THIRD) == [OTHER, THIRD]


async def test_a_list_that_is_not_whole_is_not_read_again_and_again(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(f"/ipfs/{ONE}")
    lists = open_lists(file)
    file.write_bytes(HTML)
    assert not await lists.look()
    monkeypatch.setattr(module, "read_lists", None)
    assert not await lists.look()
    assert "no valid rule" in str(lists.state()["problem"])


@pytest.mark.parametrize("content", [b"", HTML, f"/ipfs/{ONE}".encode()])
def test_a_list_that_is_not_whole_at_the_start_is_told_or_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    file = tmp_path / "a.deny"
    file.write_bytes(content)
    lists = open_lists(file)
    assert "a.deny" in str(lists.state()["problem"])
    assert "may be incomplete" in caplog.text
    with pytest.raises(BadSetting, match=r"denylist\.files: .*a\.deny"):
        Denylist([str(file)], FakeClock(), is_strict=True)
    with pytest.raises(BadSetting, match=r"denylist\.files: .*a\.deny"):
        check_lists([str(file)], is_strict=True)


@pytest.mark.parametrize("name", ["/dev/full", "pipe"])
def test_what_is_no_file_stops_the_start_at_once(tmp_path: Path, name: str) -> None:
    """Issue 12, 8: check-config and serve hung."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadSetting, match=r"denylist\.files: .*Not a regular file"):
        check_lists([str(tmp_path / name)])


async def test_following_tells_of_other_rules(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.001)
    lists = open_lists(write(f"/ipfs/{ONE}"))
    told = asyncio.Event()
    following = asyncio.create_task(lists.follow(told.set))
    write(f"/ipfs/{OTHER}")
    async with asyncio.timeout(10):
        await told.wait()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert blocked(lists, ONE, OTHER) == [OTHER]


def test_its_state_is_told_by_file(write: Write, tmp_path: Path) -> None:
    write(f"/ipfs/{ONE}", "bad")
    lists = open_lists(tmp_path)
    blocked(lists, ONE)
    state = lists.state()
    assert (state["rules"], state["denied"]) == (1, 1)
    assert state["files"] == [
        {
            "file": str(tmp_path / "a.deny"),
            "rules": 1,
            "skipped": 1,
            "skipped_lines": [
                "2: a rule is /ipfs/{cid}, /ipns/{name} or //{double hash}",
            ],
        }
    ]


def test_it_fits_its_port(write: Write) -> None:
    lists: Denials = open_lists(write())
    lists.check(parse_path(b"/ipfs/bafkqaaa"))
