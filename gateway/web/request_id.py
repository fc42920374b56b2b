"""Names for requests: one word that finds a request's line in the log."""

import itertools
import secrets
from collections.abc import Callable


def request_ids() -> Callable[[], str]:
    """Return a function that gives a new name each time, unlike those of other processes."""
    prefix = secrets.token_hex(5)
    count = itertools.count(1).__next__
    return lambda: f"{prefix}{count():08x}"
