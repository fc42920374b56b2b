"""What every test shares: the event loop and how hard hypothesis tries."""

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# A slow machine must not turn a law into a flake; pytest-timeout ends what hangs.
_common = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

settings.register_profile("dev", _common, max_examples=50)
settings.register_profile("ci", _common, max_examples=200, derandomize=True)
settings.register_profile("nightly", _common, max_examples=20_000)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if "CI" in os.environ else "dev")
)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run async tests on asyncio's own loop: pytest-timeout's signal cannot end a hung uvloop."""
    return "asyncio"


def pytest_collection_finish() -> None:
    """Let hypothesis make its tables of Unicode before any test has a deadline.

    In a fresh checkout that takes seconds, under coverage twenty; then they are in a file.
    """
    st.text().validate()
