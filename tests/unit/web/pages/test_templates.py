import base64
import hashlib
import re

import pytest
from jinja2 import UndefinedError

from gateway.content.build import build_directory, build_file, collect
from gateway.web.pages.templates import CONTENT_POLICY, TEMPLATES, hash_templates
from tests.unit.web.conftest import Listening


def render_head() -> str:
    return TEMPLATES.get_template("head.html").render(title="T")


def test_the_policy_allows_exactly_the_style_in_the_page() -> None:
    style = re.search(r"<style>(.*?)</style>", render_head(), re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    name, policy = CONTENT_POLICY
    assert name == b"content-security-policy"
    assert policy.decode() == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def test_the_style_asks_for_nothing_from_elsewhere() -> None:
    urls = re.findall(r"url\((.{20})", render_head())
    assert urls
    assert all(url.startswith('"data:image/svg+xml,') for url in urls)
    assert "@import" not in render_head()


def test_pages_follow_the_colours_of_the_system() -> None:
    assert "@media(prefers-color-scheme:dark)" in render_head()
    assert '<meta name="color-scheme" content="light dark">' in render_head()


def test_a_variable_that_is_missing_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="'title' is undefined"):
        TEMPLATES.get_template("head.html").render()


def test_templates_escape_what_they_are_given() -> None:
    template = TEMPLATES.from_string("{{ text }}")
    assert template.render(text="<b>\"'&{{7*7}}") == "&lt;b&gt;&#34;&#39;&amp;{{7*7}}"


def test_a_page_with_other_fields_has_another_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    before = hash_templates("listing.html")
    monkeypatch.setattr("gateway.web.pages.templates.PAGE_FIELDS", ())
    assert hash_templates("listing.html") != before


def test_hash_templates_differs_between_templates_and_stays_the_same() -> None:
    assert hash_templates("listing.html") == hash_templates("listing.html")
    assert hash_templates("listing.html") != hash_templates("landing.html")
    assert re.fullmatch(r"[0-9a-f]{16}", hash_templates("listing.html"))


@pytest.mark.parametrize(
    ("target", "status"),
    [
        pytest.param("/", 200, id="landing"),
        pytest.param("/ipfs/{folder}/", 200, id="listing"),
        pytest.param("/ipfs/{document}", 200, id="preview"),
        pytest.param("/ipfs/{root}/nothing", 404, id="error"),
        pytest.param("/ipfs/nothing", 400, id="error-without-content"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_our_pages_cannot_be_framed_and_tell_nobody_where_one_was(
    listening: Listening, target: str, status: int, method: str
) -> None:
    """Issue 12, 10: anybody could frame a listing, an error or a preview."""
    file = collect(build_file(b"x"))
    folder = listening.add(collect(build_directory([("a", file[0])])), file)
    names = {"root": listening.root, "document": listening.document, "folder": folder}
    answer = await listening.get(target.format(**names), "Accept: text/html", method=method)
    head = answer.partition(b"\r\n\r\n")[0]
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"frame-ancestors 'none'" in head
    assert b"\r\nreferrer-policy: no-referrer" in head
    assert b"\r\npermissions-policy: accelerometer=(), camera=()" in head


@pytest.mark.parametrize(
    "target", ["/ipfs/{root}/", "/ipfs/{root}/a.txt", "/ipfs/{root}?format=raw"]
)
async def test_nothing_is_forced_on_content(listening: Listening, target: str) -> None:
    for _ in range(3):
        answer = await listening.get(target.format(root=listening.root), "Accept: text/html")
        head = answer.partition(b"\r\n\r\n")[0]
        assert b" 200 OK\r\n" in head
        assert b"-policy" not in head
