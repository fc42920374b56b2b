"""What is known of `Accept` without parsing it: never more than what is parsed from it."""

import pytest

from gateway.protocol.formats import ResponseFormat, choose_format
from gateway.web.hot.accept import RAW_TYPE, accepts_default


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        pytest.param(b"", True, id="none"),
        pytest.param(b"*/*", True, id="any"),
        pytest.param(b"text/html", True, id="html"),
        pytest.param(b"text/html,application/vnd.ipld.car", False, id="html-or-car"),
        pytest.param(b"IMAGE/PNG", False, id="unusual-spelling"),
        pytest.param(b"application/x-tar", False, id="tar"),
    ],
)
def test_accepts_default(accept: bytes, expected: bool) -> None:  # noqa: FBT001 (a table)
    assert accepts_default(accept) is expected


def test_raw_type_asks_for_a_raw_block() -> None:
    assert choose_format(None, RAW_TYPE.decode()).format is ResponseFormat.RAW
