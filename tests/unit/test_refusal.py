"""The helper of all tables of bad inputs sees what is not the refusal that a row promises."""

import pytest

from gateway.content.cid import parse_cid
from gateway.errors import BadCid, BadPath
from tests.refusal import check_refused


def test_a_refusal_is_seen() -> None:
    check_refused(BadCid, "is empty", parse_cid, "")


@pytest.mark.parametrize(
    ("error", "reason", "text"),
    [
        pytest.param(BadPath, "is empty", "", id="of-a-class-below"),
        pytest.param(BadCid, "another reason", "", id="for-another-reason"),
    ],
)
def test_another_refusal_is_none(error: type[Exception], reason: str, text: str) -> None:
    with pytest.raises(AssertionError):
        check_refused(error, reason, parse_cid, text)


def test_what_is_accepted_is_no_refusal() -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        check_refused(BadCid, "invalid", parse_cid, "bafkqaaa")
