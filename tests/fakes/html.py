"""Reading pages as a browser would, as far as tests need it."""

from html.parser import HTMLParser

_ACTIVE = frozenset({"script", "iframe", "object", "embed", "form", "link", "img", "base", "svg"})


class Page(HTMLParser):
    """The links and the text of a page, and what no page of the gateway may have."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        """`(href, text)` of each anchor."""
        self.forbidden: list[str] = []
        """Tags that load or run something, event handlers, inline styles."""
        self.text = ""
        self._href: str | None = None
        self._start = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _ACTIVE:
            self.forbidden.append(tag)
        self.forbidden += [
            name for name, _ in attrs if name.startswith("on") or name in ("style", "src")
        ]
        if tag == "a":
            self._href, self._start = dict(attrs)["href"], len(self.text)

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._href is not None:
            self.links.append((self._href, self.text[self._start :]))
            self._href = None

    def handle_data(self, data: str) -> None:
        self.text += data
