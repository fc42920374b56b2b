from gateway.ops.record import Outcome
from tests.fakes.requests import RECORD


def test_a_request_is_complete_unless_said_otherwise() -> None:
    assert RECORD.outcome is Outcome.COMPLETE
    assert RECORD.namespace == "ipfs"
    assert not RECORD.choices
