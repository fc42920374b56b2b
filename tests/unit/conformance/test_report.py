"""What is read of the suite's output, and the table that is made of it."""

import pytest

from tests.conformance.suite import Report, parse_output
from tests.conformance.table import Run, format_table

OUTPUT = """\
=== RUN   TestTar
    path_gateway_tar_test.go:15: --- META: {"group":"Tar"}
=== RUN   TestTar/GET_TAR
=== RUN   TestTar/GET_TAR/Status_code
    run.go:58:\x20
        Name: GET TAR

        Error: Status code is not 200. It is 404

        Actual Request:
        GET /ipfs/bafy?format=tar HTTP/1.1
        Host: example.com
        User-Agent: ipfs/gateway-conformance/0.13.2

=== RUN   TestTar/GET_TAR/Body
=== RUN   TestTar/GET_TAR_with_Accept
--- FAIL: TestTar (0.00s)
    --- FAIL: TestTar/GET_TAR (0.00s)
        --- FAIL: TestTar/GET_TAR/Status_code (0.00s)
        --- PASS: TestTar/GET_TAR/Body (0.00s)
    --- PASS: TestTar/GET_TAR_with_Accept (0.00s)
FAIL
"""


def test_a_case_is_a_request_of_a_test() -> None:
    report = parse_output(OUTPUT)
    assert report.cases == {"TestTar/GET_TAR": "FAIL", "TestTar/GET_TAR_with_Accept": "PASS"}
    assert report.passes == 2


def test_a_failure_is_told_once_with_its_request() -> None:
    report = parse_output(OUTPUT)
    assert report.failed == ["TestTar/GET_TAR/Status_code"]
    assert report.explain(report.failed) == (
        "TestTar/GET_TAR/Status_code\n"
        "    Status code is not 200. It is 404 (GET /ipfs/bafy?format=tar, Host: example.com)\n"
    )


def test_an_output_of_nothing_is_an_empty_report() -> None:
    assert parse_output("PASS\n") == Report({}, {})


@pytest.mark.parametrize(
    ("known", "cell"),
    [
        pytest.param({}, "1 (1 failed)", id="new"),
        pytest.param({"^TestTar/GET_TAR$": "no tar yet"}, "1 (1 meant to fail)", id="known"),
    ],
)
def test_the_table_counts_cases_by_specification(known: dict[str, str], cell: str) -> None:
    table = format_table({"cold": Run(parse_output(OUTPUT), known)})
    assert f"| path-tar-gateway | 2 | {cell} |" in table
    assert "| path-raw-gateway | 0 | 0 |" in table
    assert f"| all | 2 | {cell} |" in table


def test_the_table_gives_reasons() -> None:
    table = format_table({"cold": Run(Report({}), {"^TestTar": "no tar yet"})})
    assert "- `^TestTar`: no tar yet.\n" in table
