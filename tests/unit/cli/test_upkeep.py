"""`warm`, `pin` and `purge` give orders, and show what comes of them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from tests.fakes.admin import Admin, serving
from tests.fakes.blocks import numbered

CID, OTHER = (str(numbered(n, 8).cid) for n in (1, 2))
ROW = {"cid": CID, "blocks": 1200, "bytes": 2048, "pinned": 0, "holes": 0, "whole": True}


@pytest.fixture(name="admin")
def admin_fixture() -> Iterator[Admin]:
    with serving() as admin:
        yield admin


def run(admin: Admin, *arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [*arguments, "--url", admin.url])
    return result.exit_code, result.stdout, result.stderr


def pin_row(state: str, reason: str = "") -> bytes:
    row = {"cid": CID, "state": state, "since": 1.0, "blocks": 3, "bytes": 4096, "reason": reason}
    return json.dumps([row]).encode()


def test_a_purge_shows_what_went(admin: Admin) -> None:
    admin.pages["/api/v1/purge"] = 200, json.dumps({"purged": [ROW]}).encode()
    code, shown, _ = run(admin, "purge", "--recursive", f"/ipfs/{CID}/")
    assert code == 0
    assert [line.split() for line in shown.splitlines()[1:]] == [[CID, "1,200", "2.0", "KiB"]]
    assert admin.orders == [("/api/v1/purge", {"cids": [CID], "recursive": True})]


def test_a_purge_says_what_stayed(admin: Admin) -> None:
    row = {**ROW, "pinned": 4, "holes": 2}
    admin.pages["/api/v1/purge"] = 200, json.dumps({"purged": [row]}).encode()
    _, shown, _ = run(admin, "purge", CID)
    assert "4 pinned blocks stayed" in shown
    assert "below 2 blocks" in shown


def test_targets_come_from_files_too(admin: Admin, tmp_path: Path) -> None:
    file = tmp_path / "roots.txt"
    file.write_text(f"# roots\n\n{CID}  # the first\n/ipfs/{OTHER}\n{CID}\n", "ascii")
    admin.pages["/api/v1/purge"] = 200, b'{"purged": []}'
    run(admin, "purge", str(file), OTHER)
    assert admin.orders == [("/api/v1/purge", {"cids": [CID, OTHER], "recursive": False})]


def test_what_is_no_cid_is_told_before_anything_is_ordered(admin: Admin) -> None:
    code, _, complaint = run(admin, "purge", CID, "absent.txt")
    assert (code, admin.orders) == (1, [])
    assert '"absent.txt" in the command line is neither a CID nor a file' in complaint


def test_warming_shows_the_progress(admin: Admin) -> None:
    lines = [
        {"cid": CID, "state": "running", "bytes": 10, "expected_bytes": 2048, "reason": ""},
        {"cid": CID, "state": "done", "bytes": 2048, "expected_bytes": 4096, "reason": ""},
    ]
    body = "".join(json.dumps(line) + "\n" for line in lines)
    admin.pages["/api/v1/warm"] = 200, body.encode()
    code, shown, _ = run(admin, "warm", CID)
    assert code == 0
    assert "2.0/2.0 KiB" in shown


def test_a_dag_that_cannot_be_warmed_is_an_error(admin: Admin) -> None:
    admin.pages["/api/v1/warm"] = (
        200,
        json.dumps({"cid": CID, "state": "failed", "reason": "no upstream"}).encode() + b"\n",
    )
    code, shown, complaint = run(admin, "warm", CID)
    assert (code, "no upstream" in shown) == (1, True)
    assert "1 of the DAGs" in complaint


def test_a_pin_is_waited_for(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    admin.pages["/api/v1/pins"] = [
        (200, b"[]"),
        (200, pin_row("fetching")),
        (200, pin_row("pinned")),
    ]
    code, shown, _ = run(admin, "pin", CID)
    assert (code, "pinned" in shown) == (0, True)
    assert admin.orders == [("/api/v1/pins", {"add": [CID]})]
    assert admin.pages["/api/v1/pins"] == []


def test_a_pin_that_fails_is_an_error(admin: Admin) -> None:
    admin.pages["/api/v1/pins"] = 200, pin_row("failed", "no room")
    code, shown, complaint = run(admin, "pin", CID)
    assert (code, "no room" in shown) == (1, True)
    assert "1 of the pins failed" in complaint


def test_a_pin_need_not_be_waited_for(admin: Admin) -> None:
    admin.pages["/api/v1/pins"] = [(200, b"[]")]
    assert run(admin, "pin", "--no-wait", CID)[0] == 0


def test_pins_are_taken_off(admin: Admin) -> None:
    admin.pages["/api/v1/pins"] = 200, b"[]"
    assert run(admin, "pin", "--remove", CID) == (0, "unpinned 1\n", "")
    assert admin.orders == [("/api/v1/pins", {"remove": [CID]})]


@pytest.mark.parametrize("arguments", [["pin"], ["pin", "--list"]], ids=["bare", "list"])
def test_pins_are_listed(admin: Admin, arguments: list[str]) -> None:
    admin.pages["/api/v1/pins"] = 200, pin_row("fetching")
    _, shown, _ = run(admin, *arguments)
    assert [CID, "fetching", "3", "4.0", "KiB"] in [line.split() for line in shown.splitlines()]
