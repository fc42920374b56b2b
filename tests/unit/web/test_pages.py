import base64
import hashlib
import re

import pytest
from jinja2 import UndefinedError

from gateway.web.pages import CONTENT_POLICY, TEMPLATES, hash_templates


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
        "base-uri 'none'; form-action 'none'"
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


def test_hash_templates_differs_between_templates_and_stays_the_same() -> None:
    assert hash_templates("listing.html") == hash_templates("listing.html")
    assert hash_templates("listing.html") != hash_templates("landing.html")
    assert re.fullmatch(r"[0-9a-f]{16}", hash_templates("listing.html"))
