"""A service is found by its name, started, and closed whatever happens."""

from contextlib import AsyncExitStack

import pytest

from gateway.client_table import ClientTable
from gateway.processes.service import load_factory, open_service
from gateway.settings import Settings
from tests.fakes import service


def test_a_factory_is_found_by_its_name() -> None:
    assert load_factory(service.FACTORY) is service.build


async def test_a_service_is_started_and_closed() -> None:
    async with AsyncExitStack() as stack:
        opened = await open_service(stack, service.FACTORY, Settings(), ClientTable.private())
        assert isinstance(opened, service.FakeService)
        assert opened.calls == ["start"]

    assert opened.calls == ["start", "close"]


async def test_a_service_that_does_not_start_is_closed() -> None:
    with pytest.raises(OSError, match="no space"):
        async with AsyncExitStack() as stack:
            await open_service(stack, service.FULL, Settings(), ClientTable.private())

    assert service.FullService.calls[-1] == "close"


async def test_a_service_that_does_not_close_is_left_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with AsyncExitStack() as stack:
        await open_service(
            stack, service.STUCK, Settings(), ClientTable.private(), close_timeout_s=0.01
        )

    assert "closing took longer than" in caplog.text
