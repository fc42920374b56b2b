"""Names of requests."""

from gateway.web.exchange import request_ids


def test_no_two_requests_have_one_name_nor_do_two_processes() -> None:
    one, other = request_ids(), request_ids()
    assert len({one() for _ in range(100)} | {other() for _ in range(100)}) == 200
