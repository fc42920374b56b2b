"""Builds the parts of the operators' listener, from the settings."""

from collections.abc import Callable

from gateway.admin.app import create_admin
from gateway.guard.addresses import TrustedProxies
from gateway.guard.connections import ConnectionLimit
from gateway.ops.clock import SystemClock
from gateway.ops.descriptors import OPERATORS_ROOM
from gateway.ops.fleet import Fleet, Operators
from gateway.settings import Settings
from gateway.web.connection.http_connection import protocol_for


def build(settings: Settings, fleet: Fleet, is_ready: Callable[[], bool]) -> Operators:
    """Build the application and the connection protocol of the operators' listener.

    Its connections have the same limit per client as those of the content listener.

    Args:
        settings: the whole configuration.
        fleet: all workers.
        is_ready: returns whether the gateway accepts requests; False while it starts and drains.
    """
    clock = SystemClock()
    most = settings.limits.connections
    limit = ConnectionLimit(most, OPERATORS_ROOM, TrustedProxies(), clock)
    app = create_admin(fleet, settings.admin.token, is_ready, clock)
    return Operators(app, protocol_for(limit))
