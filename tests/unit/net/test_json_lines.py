import pytest

from gateway.net.json_lines import parse_json_lines


def test_each_line_is_a_value() -> None:
    assert list(parse_json_lines(b'{"a": 1}\n[2]\r\n3')) == [{"a": 1}, [2], 3]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>", id="html"),
        pytest.param(b'{"a":', id="cut-short"),
        pytest.param(b"\xff", id="not-text"),
        pytest.param(b"[" * 100_000, id="deep"),
    ],
)
def test_a_line_that_is_no_value_is_left_out(line: bytes) -> None:
    assert list(parse_json_lines(b"1\n" + line + b"\n2")) == [1, 2]
