"""Sockets: taken addresses are told, stale files are replaced, nobody's file is removed."""

import socket
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from gateway.errors import CannotStart
from gateway.processes.listeners import open_listener
from tests.refusal import check_refused


@pytest.fixture(name="folder")
def folder_fixture() -> Iterator[Path]:
    """A folder with a short name: a Unix socket's path has 107 bytes at most."""
    with TemporaryDirectory(prefix="gw") as folder:
        yield Path(folder)


def test_port_zero_tells_the_port_that_the_system_chose() -> None:
    with closing(open_listener("127.0.0.1:0")) as listener:
        port = listener.socket.getsockname()[1]

        assert str(listener) == f"http://127.0.0.1:{port}"
        socket.create_connection(("127.0.0.1", port)).close()


def test_ipv6_is_written_in_brackets() -> None:
    with closing(open_listener("[::1]:0")) as listener:
        assert str(listener).startswith("http://[::1]:")


def test_the_ipv6_wildcard_takes_ipv4_too() -> None:
    with closing(open_listener("[::]:0")) as listener:
        socket.create_connection(("127.0.0.1", listener.socket.getsockname()[1])).close()


def test_a_taken_port_is_told() -> None:
    with closing(open_listener("127.0.0.1:0")) as listener:
        address = str(listener).removeprefix("http://")

        with pytest.raises(CannotStart, match=f"cannot listen on {address}: address already in"):
            open_listener(address)


@pytest.mark.parametrize(
    ("listen", "reason"),
    [
        ("192.0.2.1:0", "cannot assign requested address"),
        ("nobody.invalid:80", "cannot listen on nobody.invalid:80: "),
        ("unix:/nowhere/at/all.sock", "no such file or directory"),
    ],
)
def test_an_address_that_is_not_ours_is_told(listen: str, reason: str) -> None:
    check_refused(CannotStart, reason, open_listener, listen)


def test_a_unix_socket_is_for_owner_and_group(folder: Path) -> None:
    path = folder / "gw.sock"

    with closing(open_listener(f"unix:{path}")) as listener:
        assert str(listener) == f"unix:{path}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert not path.exists()


def test_a_unix_socket_that_nobody_listens_on_is_replaced(folder: Path) -> None:
    path = folder / "gw.sock"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))

    with closing(open_listener(f"unix:{path}")), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_unix_socket_in_use_is_left_alone(folder: Path) -> None:
    listen = f"unix:{folder}/gw.sock"

    with closing(open_listener(listen)), pytest.raises(CannotStart, match="already in use"):
        open_listener(listen)


def test_a_file_that_is_no_socket_is_left_alone(folder: Path) -> None:
    path = folder / "notes.txt"
    path.write_text("mine")

    with pytest.raises(CannotStart, match="exists and is not a socket"):
        open_listener(f"unix:{path}")

    assert path.read_text() == "mine"


def test_closing_leaves_the_socket_of_a_successor(folder: Path) -> None:
    path = folder / "gw.sock"
    first = open_listener(f"unix:{path}")
    path.rename(folder / "old.sock")

    with closing(open_listener(f"unix:{path}")):
        first.close()

        assert path.exists()


def test_closing_twice_is_harmless(folder: Path) -> None:
    listener = open_listener(f"unix:{folder}/gw.sock")

    listener.close()
    listener.close()
