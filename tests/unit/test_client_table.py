"""Slots of clients: found again, bounded, seen by all who share the memory."""

import errno
import os
import subprocess
import sys

import pytest

from gateway.client_table import WAYS, ClientTable


def test_a_claimed_slot_is_found_again() -> None:
    table = ClientTable.private(slots=64)
    slot = table.claim(7, 1.0)
    table.times[slot] = 5.0
    assert table.claim(7, 2.0) == slot
    assert (table.tags[slot], table.times[slot]) == (7, 5.0)


@pytest.mark.parametrize("tag", [0, 1, -1, 2**63 - 1, -(2**63)])
def test_any_hash_has_a_slot(tag: int) -> None:
    table = ClientTable.private(slots=64)
    assert table.tags[table.claim(tag, 1.0)] == tag


def test_clients_with_one_home_do_not_share_it() -> None:
    table = ClientTable.private(slots=64)
    slots = set()
    for number in range(WAYS):
        slot = table.claim(number * 64, 1.0)
        table.times[slot] = 10.0
        slots.add(slot)
    assert len(slots) == WAYS


def test_who_is_full_first_is_forgotten_when_there_is_no_room() -> None:
    table = ClientTable.private(slots=WAYS)
    for number in range(WAYS):
        table.times[table.claim(number, 1.0)] = 20.0 - number
    slot = table.claim(99, 1.0)
    assert (slot, table.times[slot]) == (WAYS - 1, 0.0)
    assert table.claim(0, 1.0) == 0


def test_a_full_bucket_gives_its_place() -> None:
    table = ClientTable.private(slots=WAYS)
    table.times[table.claim(3, 1.0)] = 5.0
    assert table.claim(3 + WAYS, 5.0) == 3
    assert table.times[3] == 0.0


def test_who_opens_the_memory_sees_the_same_table() -> None:
    one = ClientTable.shared(slots=64)
    other = ClientTable.open(os.dup(one.fd))
    one.times[one.claim(hash("a"), 1.0)] = 5.0
    assert other.times[other.claim(hash("a"), 1.0)] == 5.0
    os.close(other.fd)
    os.close(one.fd)


def test_memory_is_shared_on_any_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    table = ClientTable.shared(slots=64)
    assert (len(table.tags), len(table.times), table.mask) == (64, 64, 63)
    os.close(table.fd)


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSYS], ids=errno.errorcode.get)
def test_memory_is_shared_where_memfds_are_refused(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 12, 30: a container's seccomp profile answers so, and no worker was started."""

    def refuse(_name: str) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "memfd_create", refuse)
    table = ClientTable.shared(slots=64)
    assert len(table.tags) == 64
    os.close(table.fd)


def test_processes_with_one_seed_hash_alike() -> None:
    """Python promises it; the table stands on it."""
    command = [sys.executable, "-c", "print(hash('192.0.2.1'))"]
    environment = {**os.environ, "PYTHONHASHSEED": "4294967295"}
    said = {subprocess.check_output(command, env=environment) for _ in range(2)}  # noqa: S603 (this Python)
    assert len(said) == 1
