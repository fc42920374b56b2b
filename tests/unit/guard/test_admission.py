import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadSetting, TooManyRequests
from gateway.guard.admission import AdmissionControl, client_key
from gateway.ports import Admission
from gateway.settings import LimitsSettings
from tests.fakes.clock import FakeClock


def control(
    requests: str = "60/minute", burst: int = 3, most: int = 1000, clock: FakeClock | None = None
) -> AdmissionControl:
    settings = LimitsSettings(requests=requests, burst=burst)
    return AdmissionControl(settings, most, clock or FakeClock())


def admitted(admission: Admission, clients: list[str]) -> int:
    count = 0
    for client in clients:
        try:
            admission.admit(client)
        except TooManyRequests:
            continue
        count += 1
    return count


@pytest.mark.parametrize(
    ("client", "key"),
    [
        pytest.param("192.0.2.7", "192.0.2.7", id="v4"),
        pytest.param("2001:db8:1:2:3:4:5:6", "20010db800010002", id="v6"),
        pytest.param("2001:db8:1:2::", "20010db800010002", id="v6-first"),
        pytest.param("unix", "unix", id="unix"),
    ],
)
def test_client_key(client: str, key: str) -> None:
    assert client_key(client) == key


def test_all_addresses_of_one_64_are_one_client() -> None:
    addresses = [f"2001:db8::{number:x}:1" for number in range(0, 65_536, 16)]
    assert admitted(control(burst=3), addresses) == 3


def test_addresses_of_different_networks_are_different_clients() -> None:
    addresses = ["192.0.2.1", "192.0.2.2", "2001:db8:0:1::1", "2001:db8:0:2::1"] * 3
    assert admitted(control(burst=3), addresses) == 12


def test_fields_count_down_as_the_draft_says() -> None:
    admission = control(burst=3)
    first, second = admission.admit("192.0.2.1"), admission.admit("192.0.2.1")
    assert first == {
        "RateLimit-Limit": "60",
        "RateLimit-Remaining": "2",
        "RateLimit-Reset": "1",
        "RateLimit-Policy": "60;w=60;burst=3",
    }
    assert (second["RateLimit-Remaining"], second["RateLimit-Reset"]) == ("1", "2")


def test_ready_fields_are_bounded_and_right_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.guard.admission.MAX_READY_FIELDS", 2)
    admission = control(burst=5)
    told = [admission.admit("192.0.2.1")["RateLimit-Remaining"] for _ in range(5)]
    assert told == ["4", "3", "2", "1", "0"]


def test_over_the_rate_is_refused_with_when_to_come_back() -> None:
    clock = FakeClock()
    admission = control("6/minute", burst=1, clock=clock)
    admission.admit("192.0.2.1")
    clock.advance(2.5)
    with pytest.raises(
        TooManyRequests, match="more than 6 requests in 60 s, or 1 at once"
    ) as caught:
        admission.admit("192.0.2.1")
    assert caught.value.retry_after_s == 8
    assert caught.value.fields["RateLimit-Remaining"] == "0"
    clock.advance(8)
    admission.admit("192.0.2.1")


def test_a_clock_that_jumps_changes_nothing() -> None:
    clock = FakeClock()
    admission = control(burst=3, clock=clock)
    assert admitted(admission, ["192.0.2.1"] * 9) == 3
    clock.jump(1e9)
    assert admitted(admission, ["192.0.2.1"] * 9) == 0
    clock.jump(-2e9)
    clock.advance(2)
    assert admitted(admission, ["192.0.2.1"] * 9) == 2


def test_an_empty_rate_turns_limits_off() -> None:
    admission = control("", most=10**9)
    assert all(admission.admit("192.0.2.1") == {} for _ in range(1000))


def test_a_rate_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(BadSetting, match=r"limits\.requests: "):
        control("many/minute")


def test_requests_at_once_are_capped_and_freed() -> None:
    admission = control("", most=2)
    assert admitted(admission, ["192.0.2.1", "192.0.2.2", "192.0.2.3"]) == 2
    with pytest.raises(TooManyRequests, match="2 requests are in flight") as caught:
        admission.admit("192.0.2.4")
    assert caught.value.retry_after_s == 5
    admission.release()
    admission.admit("192.0.2.4")
    assert admission.active == 2


def test_refused_requests_hold_no_place() -> None:
    admission = control("60/minute", burst=1, most=2)
    assert admitted(admission, ["192.0.2.1"] * 50 + ["192.0.2.2"]) == 2
    assert admission.active == 2


def test_a_full_process_takes_nothing_from_the_client() -> None:
    admission = control("60/minute", burst=2, most=1)
    admission.admit("192.0.2.1")
    assert admitted(admission, ["192.0.2.1"] * 50) == 0
    admission.release()
    assert admission.admit("192.0.2.1")["RateLimit-Remaining"] == "0"


@pytest.mark.property
@given(st.lists(st.sampled_from(["in", "out"])), st.integers(1, 5))
def test_never_more_are_active_than_allowed(steps: list[str], most: int) -> None:
    admission = control("", most=most)
    for step in steps:
        if step == "out" and admission.active:
            admission.release()
        else:
            admitted(admission, ["192.0.2.1"])
        assert 0 <= admission.active <= most


_: Admission = control()  # mypy proves that it fits the port


def test_passing_by_counts_and_says_the_same_as_admitting() -> None:
    one, other = control(burst=3), control(burst=3)
    fields = one.admit("2001:db8::1")
    lines = "".join(f"{name.lower()}: {value}\r\n" for name, value in fields.items())
    assert other.pass_by("2001:db8::1") == lines.encode()
    assert other.active == 0
    assert other.admit("2001:db8::2")["RateLimit-Remaining"] == "1"


def test_passing_by_is_refused_over_the_rate() -> None:
    admission = control(burst=2)
    passed = [admission.pass_by("192.0.2.1") is not None for _ in range(4)]
    assert passed == [True, True, False, False]


def test_passing_by_is_refused_while_the_process_is_full() -> None:
    admission = control(most=1)
    admission.admit("192.0.2.1")
    assert admission.pass_by("192.0.2.2") is None


def test_passing_by_without_limits_has_no_fields() -> None:
    assert control(requests="").pass_by("192.0.2.1") == b""


def test_ready_lines_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.guard.admission.MAX_READY_FIELDS", 2)
    admission = control(burst=5)
    told = [admission.pass_by("192.0.2.1") for _ in range(5)]
    remaining = [b"ratelimit-remaining: %d\r\n" % number for number in (4, 3, 2, 1, 0)]
    assert all(line in (found or b"") for line, found in zip(remaining, told, strict=True))
