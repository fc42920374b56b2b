import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.client_table import ClientTable
from gateway.errors import BadSetting
from gateway.guard.limits import Rate, TokenBuckets, parse_rate
from tests.refusal import check_refused


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        pytest.param("", None, id="off"),
        pytest.param("600/minute", Rate(600, 60), id="minute"),
        pytest.param("5/second", Rate(5, 1), id="second"),
        pytest.param("10 per 2 hours", Rate(10, 7200), id="multiple"),
        pytest.param("1/day", Rate(1, 86_400), id="day"),
    ],
)
def test_parse_rate_reads(text: str, rate: Rate | None) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("600", id="no-unit"),
        pytest.param("600/fortnight", id="unit"),
        pytest.param("0/minute", id="zero"),
        pytest.param("-1/minute", id="negative"),
        pytest.param("1e9/minute", id="exponent"),
        pytest.param("600/minute; 5/second", id="two"),
        pytest.param("\u0663/minute", id="other-digits"),
    ],
)
def test_parse_rate_refuses_and_names_the_setting(text: str) -> None:
    check_refused(BadSetting, r"limits\.requests: ", parse_rate, text)


def full_buckets(rate: Rate, burst: int) -> TokenBuckets:
    return TokenBuckets(rate, burst, ClientTable.private(slots=1024))


def wait_s(buckets: TokenBuckets, key: str, now: float) -> float:
    return buckets.take(key, now)[0]


def allowed(buckets: TokenBuckets, key: str, times: list[float]) -> list[float]:
    return [now for now in times if not wait_s(buckets, key, now)]


def test_a_burst_passes_at_once_and_the_next_request_waits() -> None:
    buckets = full_buckets(Rate(60, 60), burst=5)
    assert len(allowed(buckets, "a", [100.0] * 20)) == 5
    assert wait_s(buckets, "a", 100.0) == pytest.approx(1.0)
    assert wait_s(buckets, "b", 100.0) == 0


def test_a_client_at_exactly_its_rate_is_never_refused() -> None:
    buckets = full_buckets(Rate(7, 60), burst=1)
    times = [1000 + i * 60 / 7 for i in range(500)]
    assert allowed(buckets, "a", times) == times


def test_remaining_and_full_in_tell_the_state() -> None:
    buckets = full_buckets(Rate(60, 60), burst=3)
    full_in_s = [buckets.take("a", now)[1] for now in (10.0, 10.0, 10.0, 10.0, 11.0, 20.0)]
    assert full_in_s == pytest.approx([1, 2, 3, 3, 3, 1])
    assert [buckets.remaining(seconds) for seconds in full_in_s] == [2, 1, 0, 0, 0, 2]


def test_refused_requests_cost_nothing() -> None:
    buckets = full_buckets(Rate(60, 60), burst=1)
    allowed(buckets, "a", [5.0] * 1000)
    assert wait_s(buckets, "a", 6.0) == 0


def test_buckets_in_one_table_are_the_same() -> None:
    table = ClientTable.private(slots=1024)
    one, other = (TokenBuckets(Rate(60, 60), 3, table) for _ in range(2))
    assert [wait_s(worker, "a", 5.0) for worker in (one, other, one, other)] == [0, 0, 0, 1]


def test_what_is_handed_over_is_what_was_allowed_since() -> None:
    buckets = full_buckets(Rate(60, 60), burst=2)
    buckets.hand_over()
    for key in "aaabc":
        buckets.take(key, 5.0)
    assert buckets.hand_over() == {"a": 2, "b": 1, "c": 1}
    buckets.take("a", 5.0)
    assert buckets.hand_over() == {"a": 0}
    assert buckets.hand_over() == {}


@pytest.mark.parametrize(
    ("told_s", "wait"),
    [
        pytest.param(4.0, 3.0, id="others-took-more"),
        pytest.param(0.5, 0.0, id="others-know-less"),
        pytest.param(1e9, 61.0, id="nobody-is-shut-out-for-ever"),
        pytest.param(float("inf"), 61.0, id="infinity"),
        pytest.param(float("nan"), 0.0, id="no-number"),
        pytest.param(-1e9, 0.0, id="negative"),
    ],
)
def test_what_others_allowed_is_taken_out(told_s: float, wait: float) -> None:
    buckets = full_buckets(Rate(60, 60), burst=2)
    buckets.take("a", 5.0)
    buckets.empty("a", told_s, 5.0)
    assert wait_s(buckets, "a", 5.0) == pytest.approx(wait)


GAPS = st.floats(0, 30) | st.just(0.0) | st.sampled_from([0.1, 1.0, 59.999, 60.0, 61.0])


@pytest.mark.property
@given(
    st.integers(1, 20),
    st.integers(1, 8),
    st.lists(GAPS, max_size=120),
    st.sampled_from([256, 1024]),
)
def test_no_window_holds_more_than_the_rate_and_the_burst(
    amount: int, burst: int, gaps: list[float], slots: int
) -> None:
    buckets = TokenBuckets(Rate(amount, 60), burst, ClientTable.private(slots))
    now = 1000.0
    passed: list[float] = []
    for gap in gaps:
        now += gap
        buckets.take(f"other-{now}", now)
        passed += allowed(buckets, "a", [now])
    for start in passed:
        assert sum(start <= at < start + 60 for at in passed) <= amount + burst


@pytest.mark.property
@given(st.integers(1, 50), st.integers(1, 10), st.lists(GAPS, max_size=60))
def test_waiting_as_told_always_helps(amount: int, burst: int, gaps: list[float]) -> None:
    buckets = full_buckets(Rate(amount, 60), burst)
    now = 1000.0
    for gap in gaps:
        now += gap
        if wait := wait_s(buckets, "a", now):
            now += wait
            assert wait_s(buckets, "a", now) == 0
