"""What each row of a table of bad inputs has to come to: an error of one class, with its reason."""

from collections.abc import Callable
from typing import ParamSpec

import pytest

P = ParamSpec("P")


def check_refused(
    error: type[Exception],
    reason: str,
    act: Callable[P, object],
    *args: P.args,
    **kwargs: P.kwargs,
) -> None:
    """Call `act` and see that it raises this very class of error, not one below it.

    Args:
        error: the class.
        reason: a pattern that the message has to contain.
        act: what is called with all other arguments, which are made before: an error of
            theirs is no refusal.
    """
    with pytest.raises(error, match=reason) as caught:
        act(*args, **kwargs)
    assert caught.type is error
