"""Sizes, durations and addresses: text to value and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings.values import (
    ListenAddress,
    TcpAddress,
    UnixAddress,
    format_duration,
    format_size,
    is_host,
    parse_duration,
    parse_listen,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("17B", 17),
        ("1kB", 1000),
        ("1 KiB", 1024),
        ("2MB", 2_000_000),
        ("2MiB", 2_097_152),
        ("10GB", 10_000_000_000),
        ("10GiB", 10_737_418_240),
        ("1.5KiB", 1536),
        ("1TB", 10**12),
        ("1TiB", 2**40),
    ],
)
def test_sizes_have_decimal_and_binary_units(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"), [("50ms", 0.05), ("1.5s", 1.5), ("2m", 120), ("1h", 3600), ("1d", 86400)]
)
def test_durations_are_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@given(size=st.integers(0, 2**60))
def test_a_written_size_is_the_same_size(size: int) -> None:
    assert parse_size(format_size(size)) == size


@given(milliseconds=st.integers(1, 10**12))
def test_a_written_duration_is_the_same_duration(milliseconds: int) -> None:
    seconds = milliseconds / 1000

    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("value", "text"),
    [(format_size(10 * 2**30), "10GiB"), (format_size(0), "0B"), (format_size(1500), "1500B")],
)
def test_sizes_are_written_in_the_largest_whole_unit(value: str, text: str) -> None:
    assert value == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(3600.0, "1h"), (90.0, "90s"), (120.0, "2m"), (0.05, "50ms")]
)
def test_durations_are_written_in_the_largest_whole_unit(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "address", "is_loopback"),
    [
        ("127.0.0.1:8080", TcpAddress("127.0.0.1", 8080), True),
        ("[::1]:8080", TcpAddress("::1", 8080), True),
        ("LocalHost:1", TcpAddress("LocalHost", 1), True),
        ("localhost.:1", TcpAddress("localhost.", 1), True),
        ("ipfs_gateway:80", TcpAddress("ipfs_gateway", 80), False),
        ("0.0.0.0:8080", TcpAddress("0.0.0.0", 8080), False),  # noqa: S104 (compared only)
        ("[::]:0", TcpAddress("::", 0), False),
        ("gw.example:80", TcpAddress("gw.example", 80), False),
        ("unix:/run/a.sock", UnixAddress("/run/a.sock"), True),
    ],
)
def test_listen_addresses_know_who_can_connect(
    text: str, address: ListenAddress, *, is_loopback: bool
) -> None:
    assert parse_listen(text) == address
    assert str(address) == text
    assert address.is_loopback is is_loopback


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("example.com", True),
        ("a-b.example", True),
        ("10.0.0.1", True),
        ("10.0.0.256", False),
        ("-a.example", False),
        ("a..b", False),
        ("", False),
        ("a_b", True),
        ("kubo.ipfs.svc.cluster.local.", True),
        ("a-", False),
        ("a" * 64, False),
        (".".join(["a" * 60] * 5), False),
    ],
)
def test_host_names_are_those_of_dns(text: str, *, is_one: bool) -> None:
    assert is_host(text) is is_one
