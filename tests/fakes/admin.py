"""An admin listener whose pages a test writes."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Admin(http.server.ThreadingHTTPServer):
    """Answers with `pages`, by path; a page that is a list is used up from its front."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages: dict[str, tuple[int, bytes] | list[tuple[int, bytes]]] = {}
        self.tokens: set[str | None] = set()
        self.orders: list[tuple[str, Any]] = []
        """Path and body of each POST."""
        self.asked = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Admin)
        self.server.asked += 1
        self.server.tokens.add(self.headers["authorization"])
        page = self.server.pages[self.path]
        status, body = page.pop(0) if isinstance(page, list) else page
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        assert isinstance(self.server, Admin)
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.orders.append((self.path, json.loads(body)))
        self.do_GET()

    def log_message(self, *arguments: Any) -> None:
        pass


@contextmanager
def serving() -> Iterator[Admin]:
    with Admin() as admin:
        thread = threading.Thread(target=admin.serve_forever, args=(0.01,))
        thread.start()
        yield admin
        admin.shutdown()
        thread.join()
