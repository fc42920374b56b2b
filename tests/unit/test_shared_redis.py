"""The connection to Redis: nothing before it is needed, one kind of error."""

import pytest
from redis.exceptions import ResponseError

from gateway.settings import SharedSettings
from gateway.shared_redis import RemoteError, connect, translated


async def test_connecting_is_put_off_and_fails_as_a_remote_error() -> None:
    redis = connect(SharedSettings(redis="redis://127.0.0.1:1/0", timeout=0.5))
    with pytest.raises(RemoteError, match=r"127\.0\.0\.1"), translated():
        await redis.get("a")
    await redis.aclose()


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(ResponseError("broken"), id="redis"),
        pytest.param(OSError("broken"), id="system"),
        pytest.param(TimeoutError("broken"), id="timeout"),
        pytest.param(ValueError("broken"), id="more"),
    ],
)
def test_failures_are_translated(failure: Exception) -> None:
    with pytest.raises(RemoteError, match="broken"), translated(ValueError):
        raise failure


def test_a_failure_without_words_is_named() -> None:
    with pytest.raises(RemoteError, match="TimeoutError"), translated():
        raise TimeoutError


def test_bugs_are_not_translated() -> None:
    with pytest.raises(KeyError), translated():
        raise KeyError("a bug")
