"""What follows from how an upstream has behaved."""

import pytest

from gateway.errors import (
    BadCar,
    BlockAbsent,
    BlockMismatch,
    IncompleteCar,
    NameUnresolved,
    UpstreamError,
    UpstreamRefused,
    UpstreamSilent,
    UpstreamUnreachable,
)
from gateway.upstream.balancing.health import (
    EJECT_AFTER,
    FailureKind,
    UpstreamHealth,
    UpstreamState,
    kind_of,
)

NOW = 1000.0


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        pytest.param(BlockMismatch("c", "u"), "mismatch", id="mismatch"),
        pytest.param(BadCar("r", "u"), "bad-car", id="bad-car"),
        pytest.param(IncompleteCar("u", "c"), "incomplete", id="incomplete"),
        pytest.param(IncompleteCar("u", "c", is_cut=True), "unreachable", id="cut"),
        pytest.param(UpstreamRefused("u", "r", 403), "refused", id="4xx"),
        pytest.param(UpstreamRefused("u", "r"), "refused", id="no-status"),
        pytest.param(UpstreamRefused("u", "r", 301), "redirected", id="301"),
        pytest.param(UpstreamRefused("u", "r", 304), "refused", id="304"),
        pytest.param(UpstreamRefused("u", "r", 429), "busy", id="429"),
        pytest.param(UpstreamRefused("u", "r", 500), "busy", id="5xx"),
        pytest.param(UpstreamRefused("u", "r", 504), "timed-out", id="504"),
        pytest.param(UpstreamSilent("u", "r"), "silent", id="silent"),
        pytest.param(UpstreamUnreachable("u", "r"), "unreachable", id="unreachable"),
        pytest.param(BlockAbsent("u", "c"), "absent", id="absent"),
        pytest.param(NameUnresolved("u", "r"), "unresolved", id="unresolved"),
    ],
)
def test_kind_of_an_error(error: UpstreamError, kind: str) -> None:
    assert kind_of(error) == kind


def fail(health: UpstreamHealth, times: int, kind: FailureKind = FailureKind.UNREACHABLE) -> None:
    for _ in range(times):
        health.failed(kind, NOW)


def test_five_failures_in_a_row_eject() -> None:
    health = UpstreamHealth()
    fail(health, 4)
    assert health.state(NOW) is UpstreamState.HEALTHY
    fail(health, 1)
    assert health.state(NOW) is UpstreamState.EJECTED
    assert (health.state(NOW + 29.9), health.state(NOW + 30)) == ("ejected", "healthy")


def test_a_success_begins_the_count_again() -> None:
    health = UpstreamHealth()
    fail(health, 4)
    health.succeeded(NOW)
    fail(health, 4)
    assert health.state(NOW) is UpstreamState.HEALTHY


def test_one_lie_ejects() -> None:
    health = UpstreamHealth()
    fail(health, 1, FailureKind.MISMATCH)
    assert (health.state(NOW), health.reason) == ("ejected", "mismatch")


@pytest.mark.parametrize(
    "kind", [FailureKind.ABSENT, FailureKind.INCOMPLETE, FailureKind.UNRESOLVED]
)
def test_an_honest_no_is_counted_and_never_ejects(kind: FailureKind) -> None:
    health = UpstreamHealth()
    fail(health, 100, kind)
    assert health.state(NOW) is UpstreamState.HEALTHY
    assert health.failures == {kind: 100}


def test_an_honest_no_shows_that_it_is_alive() -> None:
    health = UpstreamHealth()
    fail(health, 4)
    fail(health, 1, FailureKind.ABSENT)
    fail(health, 4)
    assert health.state(NOW) is UpstreamState.HEALTHY


def test_failures_of_requests_that_were_under_way_do_not_eject_again() -> None:
    health = UpstreamHealth()
    fail(health, 100)
    assert (health.ejections, health.ejected_until) == (1, NOW + 30)


def test_each_ejection_is_longer_up_to_a_limit() -> None:
    health = UpstreamHealth()
    now, lengths = NOW, []
    for _ in range(12):
        health.failed(FailureKind.MISMATCH, now)
        lengths.append(health.ejected_until - now)
        now = health.ejected_until
    assert lengths == [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300]


def test_the_first_failure_after_an_ejection_ejects_again() -> None:
    health = UpstreamHealth()
    fail(health, 5)
    health.failed(FailureKind.SILENT, NOW + 31)
    assert health.state(NOW + 31) is UpstreamState.EJECTED


def test_good_behaviour_is_forgiven_slowly() -> None:
    health = UpstreamHealth()
    fail(health, 1, FailureKind.MISMATCH)
    health.succeeded(NOW + 30 + 299)
    assert health.ejections == 1
    health.succeeded(NOW + 30 + 300)
    health.succeeded(NOW + 30 + 301)
    assert health.ejections == 0


def test_success_while_ejected_forgives_nothing() -> None:
    health = UpstreamHealth()
    fail(health, 1, FailureKind.MISMATCH)
    health.succeeded(NOW + 1)
    assert health.state(NOW + 1) is UpstreamState.EJECTED


@pytest.mark.parametrize(
    ("told_s", "held_s"),
    [pytest.param(60.0, 60.0, id="as-told"), pytest.param(1e9, 300.0, id="not-for-ever")],
)
def test_retry_after_is_honoured_up_to_a_limit(told_s: float, held_s: float) -> None:
    health = UpstreamHealth()
    health.failed(FailureKind.BUSY, NOW, told_s)
    assert (health.state(NOW + held_s - 1), health.reason) == ("backing-off", "retry-after")
    assert health.state(NOW + held_s) is UpstreamState.HEALTHY


def test_speed_is_unknown_before_the_first_block() -> None:
    assert UpstreamHealth().ttfb_s(NOW) is None


def test_a_slow_answer_counts_in_full_and_fast_ones_win_it_back() -> None:
    health = UpstreamHealth()
    health.measured(0.1, NOW)
    health.measured(1.0, NOW)
    assert health.ttfb_s(NOW) == 1.0
    health.measured(0.1, NOW + 30)
    assert health.ttfb_s(NOW + 30) == pytest.approx(0.1 + 0.9 * 0.3679, abs=1e-3)


def test_an_upstream_that_is_not_asked_looks_faster_by_and_by() -> None:
    health = UpstreamHealth()
    health.measured(5.0, NOW)
    assert health.ttfb_s(NOW + 300) == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("kind", [FailureKind.BUSY, FailureKind.TIMED_OUT])
def test_a_fast_refusal_does_not_look_like_speed(kind: FailureKind) -> None:
    health = UpstreamHealth()
    health.measured(0.01, NOW)
    health.failed(kind, NOW)
    assert health.ttfb_s(NOW) == 5.0


def test_requests_that_are_cut_short_count_more_and_more() -> None:
    health = UpstreamHealth()
    health.measured(0.02, NOW)
    estimates = []
    for _ in range(3):
        health.outrun(0.05, NOW)
        estimates.append(health.ttfb_s(NOW))
    assert estimates == [0.1, 0.2, 0.4]
    health.measured(0.02, NOW)
    health.outrun(0.5, NOW)
    assert health.ttfb_s(NOW) == 1.0


def test_the_usual_time_needs_some_answers() -> None:
    health = UpstreamHealth()
    for number in range(19):
        health.measured(number / 100, NOW)
    assert health.usual_s() is None
    health.measured(0.19, NOW)
    assert health.usual_s() == 0.19
    for _ in range(100):
        health.measured(0.01, NOW)
    assert health.usual_s() == 0.01


def test_refusals_and_what_was_cut_short_are_no_usual_times() -> None:
    health = UpstreamHealth()
    for _ in range(20):
        health.measured(0.01, NOW)
    health.failed(FailureKind.BUSY, NOW)
    health.outrun(9.0, NOW)
    assert health.usual_s() == 0.01


def test_a_probe_tells_the_speed_only_while_nothing_is_known() -> None:
    health = UpstreamHealth()
    health.measured(0.3, NOW)
    health.primed(0.1, NOW)
    assert health.ttfb_s(NOW) == 0.3


def test_of_several_probes_the_fastest_tells_the_speed() -> None:
    """issue 12, 38: one that met a busy moment sent clients over an ocean."""
    health = UpstreamHealth()
    for answered_s in (0.3, 0.01, 0.2):
        health.primed(answered_s, NOW)
    assert (health.ttfb_s(NOW), health.measured_at) == (0.01, NOW)
    health.measured(0.2, NOW + 1)
    health.primed(0.01, NOW + 1)
    assert health.ttfb_s(NOW + 1) == 0.2


@pytest.mark.parametrize(
    ("kind", "is_back"),
    [
        pytest.param(FailureKind.SILENT, True, id="silent"),
        pytest.param(FailureKind.UNREACHABLE, True, id="unreachable"),
        pytest.param(FailureKind.MISMATCH, False, id="lie"),
        pytest.param(FailureKind.BUSY, False, id="busy"),
        pytest.param(FailureKind.BAD_CAR, False, id="garbage"),
    ],
)
def test_probes_bring_back_only_who_was_gone(kind: FailureKind, is_back: bool) -> None:  # noqa: FBT001 (a table)
    health = UpstreamHealth()
    fail(health, 5, kind)
    health.readmit(NOW)
    assert (health.state(NOW) is UpstreamState.HEALTHY) is is_back
    assert health.is_on_trial


def test_who_does_not_answer_probes_is_ejected() -> None:
    health = UpstreamHealth()
    health.eject_probed(FailureKind.SILENT, NOW, "sent nothing")
    assert (health.state(NOW), health.reason, health.problem) == (
        "ejected",
        "silent",
        "sent nothing",
    )


@pytest.mark.parametrize(
    ("kind", "is_back"),
    [
        pytest.param(FailureKind.BUSY, True, id="busy"),
        pytest.param(FailureKind.REDIRECTED, True, id="redirected"),
        pytest.param(FailureKind.MISMATCH, False, id="lie"),
    ],
)
def test_probes_take_back_what_probes_have_found_but_a_lie(
    kind: FailureKind,
    is_back: bool,  # noqa: FBT001 (a table)
) -> None:
    health = UpstreamHealth()
    health.eject_probed(kind, NOW, "")
    health.readmit(NOW)
    assert (health.state(NOW) is UpstreamState.HEALTHY) is is_back


def test_who_fails_the_request_that_tries_it_is_brought_back_ever_later() -> None:
    """issue 12, 33: who answers probes and nothing else got a request each time."""
    health = UpstreamHealth()
    now, waits = NOW, []
    for _ in range(5):
        health.failed(FailureKind.SILENT, now)
        health.eject_probed(FailureKind.SILENT, now, "")
        ejected_at = now
        while health.state(now) is UpstreamState.EJECTED:
            now += 0.25
            health.readmit(now)
        waits.append(now - ejected_at)
    assert waits == [0.25, 1, 3, 7, 15]
    health.succeeded(now)
    health.eject_probed(FailureKind.SILENT, now, "")
    health.readmit(now)
    assert health.state(now) is UpstreamState.HEALTHY


def test_an_honest_no_proves_no_bodies() -> None:
    """issue 12, 33."""
    health = UpstreamHealth()
    health.failed(FailureKind.MISMATCH, NOW)
    health.failed(FailureKind.ABSENT, NOW + 31)
    assert health.is_on_trial
    health.failed(FailureKind.SILENT, NOW + 32)
    assert health.state(NOW + 32) is UpstreamState.EJECTED


def test_what_was_no_fault_is_taken_back() -> None:
    """issue 12, 17: a CAR is cut where Kubo lacks a block."""
    health = UpstreamHealth()
    fail(health, 4)
    health.pardon(NOW)
    fail(health, 4)
    assert health.state(NOW) is UpstreamState.HEALTHY
    assert health.failures == {FailureKind.UNREACHABLE: 7, FailureKind.INCOMPLETE: 1}


def test_an_ejection_for_what_was_no_fault_is_taken_back() -> None:
    """issue 12, 17."""
    health = UpstreamHealth()
    fail(health, 5)
    health.pardon(NOW + 1)
    assert health.state(NOW + 1) is UpstreamState.HEALTHY
    assert (health.ejections, health.is_on_trial, health.consecutive) == (0, False, 0)


def test_an_ejection_for_a_lie_is_not_taken_back() -> None:
    """issue 12, 17."""
    health = UpstreamHealth()
    fail(health, 1)
    fail(health, 1, FailureKind.MISMATCH)
    health.pardon(NOW)
    assert (health.state(NOW), health.is_on_trial) == ("ejected", True)
    assert health.consecutive == EJECT_AFTER - 1


def test_who_is_on_trial_stays_so_when_its_next_ejection_is_taken_back() -> None:
    """issue 12, 17."""
    health = UpstreamHealth()
    fail(health, 5)
    health.failed(FailureKind.UNREACHABLE, NOW + 31)
    assert health.state(NOW + 31) is UpstreamState.EJECTED
    health.pardon(NOW + 31)
    assert (health.state(NOW + 31), health.is_on_trial, health.ejections) == ("healthy", True, 1)


def test_nothing_is_taken_back_that_was_not_counted() -> None:
    """issue 12, 17: the node was announced anew between the cut and the 404."""
    health = UpstreamHealth()
    health.pardon(NOW)
    assert health.failures == {}
