"""Cache-Control by what stands behind an answer."""

import pytest

from gateway.protocol.freshness import IMMUTABLE, UNKNOWN, mutable_freshness


def test_immutable_content_stays_true_for_ever() -> None:
    assert IMMUTABLE.content == b"public, max-age=29030400, immutable"
    assert IMMUTABLE.generated == b"public, max-age=604800, stale-while-revalidate=2678400"


@pytest.mark.parametrize(
    ("ttl_s", "seconds"),
    [
        pytest.param(300.9, b"300", id="whole-seconds"),
        pytest.param(0.0, b"0", id="now"),
        pytest.param(-5.0, b"0", id="never-negative"),
    ],
)
def test_a_name_stays_true_for_its_time(ttl_s: float, seconds: bytes) -> None:
    freshness = mutable_freshness(ttl_s)
    assert freshness.content == b"public, max-age=" + seconds
    assert freshness.generated == freshness.content + b", stale-while-revalidate=2678400"


def test_an_unknown_time_is_not_told() -> None:
    assert mutable_freshness(None) is UNKNOWN
    assert UNKNOWN.content == UNKNOWN.generated == b""
