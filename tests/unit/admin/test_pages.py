import base64
import hashlib
import re

import pytest

from gateway.admin.pages import START_POLICY, format_bytes, start_page
from gateway.ops.overview import merge_workers
from gateway.ops.statistics import Statistics
from tests.fakes.requests import RECORD
from tests.fakes.workers import upstream_row, worker_snapshot


@pytest.mark.parametrize(
    ("size", "text"),
    [
        pytest.param(0, "0 B", id="zero"),
        pytest.param(1023, "1023 B", id="bytes"),
        pytest.param(1024, "1.0 KiB", id="one-kib"),
        pytest.param(10 * 2**30, "10.0 GiB", id="gib"),
        pytest.param(5 * 2**70, "5242880.0 PiB", id="beyond"),
    ],
)
def test_format_bytes(size: int, text: str) -> None:
    assert format_bytes(size) == text


def page() -> str:
    told = Statistics()
    told.request_started()
    told.request_finished(RECORD._replace(root="<script>alert(1)</script>"))
    told.block_missed()
    rows = [
        upstream_row('"><b>', state="ejected", reason="mismatch", ttfb_ms=12.34, requests=1),
        upstream_row("second"),
    ]
    overview = merge_workers([worker_snapshot(told, rows, pid=4711)])
    return start_page(overview, {"/metrics": "numbers & more"})


def test_the_page_tells_the_main_numbers_and_where_the_others_are() -> None:
    html = page()
    for text in ("degraded", "ejected (mismatch)", "12.3 ms", "4711", "47.7 MiB", "0.0 %"):
        assert text in html
    assert '<a href="/metrics">/metrics</a></td><td>numbers &amp; more' in html


def test_nothing_on_the_page_is_markup_that_we_did_not_write() -> None:
    html = page()
    assert "<script" not in html
    assert "<b>" not in html
    assert "&lt;script&gt;" in html


def test_the_policy_allows_the_style_of_the_page_and_nothing_else() -> None:
    match = re.search("<style>(.*)</style>", page(), re.DOTALL)
    assert match is not None
    digest = base64.b64encode(hashlib.sha256(match[1].encode()).digest()).decode()
    assert (
        f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'"
    ) == START_POLICY
    assert " style=" not in page()


def test_a_page_without_workers_says_so() -> None:
    html = start_page(merge_workers([]), {})
    assert "unhealthy" in html
    assert "no worker reports" in html
