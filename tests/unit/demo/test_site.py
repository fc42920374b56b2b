from html.parser import HTMLParser
from posixpath import normpath
from urllib.parse import unquote, urlsplit

import pytest
from typing_extensions import override

from gateway.demo.site import MANY_ENTRIES, many_files, site_files, site_links

_ABSENT = {"many/entry-2000.txt", "missing/page.html"}
"""Links that show what a proven absence looks like."""


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        wanted = "href" if tag in ("a", "link") else "src"
        self.found += [value for name, value in attrs if name == wanted and value]


def _paths() -> set[str]:
    """Return every path of the site, directories with a slash."""
    files = ["/".join(file.path) for file in site_files()]
    files += ["/".join(link.path) for link in site_links()]
    files += [f"many/{name}" for name, _ in many_files()]
    return {*files, *(f"{path.rpartition('/')[0]}/" for path in files if "/" in path), "./"}


@pytest.mark.parametrize("page", ["index.html", "try.html"])
def test_every_link_of_a_page_is_relative_and_leads_somewhere(page: str) -> None:
    (file,) = (file for file in site_files() if file.path == (page,))
    links = _Links()
    links.feed(b"".join(file.pieces()).decode())
    targets = {unquote(urlsplit(link).path) for link in links.found}
    assert targets - _paths() <= _ABSENT
    assert not _ABSENT & _paths()
    assert not [link for link in links.found if urlsplit(link).netloc or link.startswith("/")]


def test_symbolic_links_lead_to_files_of_the_site() -> None:
    for link in site_links():
        assert normpath("/".join((*link.path[:-1], link.target))) in _paths()


def test_names_hold_what_breaks_others() -> None:
    names = {file.path[-1] for file in site_files() if file.path[0] == "names"}
    assert any(" " in name for name in names)
    assert any("%" in name and "?" in name for name in names)
    assert any(not name.isascii() for name in names)


def test_the_large_directory_has_two_thousand_different_files() -> None:
    files = dict(many_files())
    assert len(files) == len(set(files.values())) == MANY_ENTRIES == 2000
