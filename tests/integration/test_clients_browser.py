"""A real browser (Chromium) in front of the demo: pages, listings, errors and a video."""

from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Error,
    Page,
    Request,
    Response,
    sync_playwright,
)

from benchmarks.rig.harness import program
from gateway.demo.pack import DEMO_ROOT, pack_demo
from gateway.demo.runner import running_origin
from tests.integration.conftest import Gateway, gateway, peers_or_skip

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120), pytest.mark.xdist_group("browser")]

HOST = "gateway.localhost"
"""Of the gateway: browsers take all that ends in `.localhost` for this machine."""
WAIT_MS = 20_000
FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * 127.0.0.1",
    "--no-first-run",
    "--no-sandbox",  # CI is root in a container; the pages are our own
)
COUNT_COLOURS = """
async (png) => {
    const image = new Image()
    image.src = `data:image/png;base64,${png}`
    await image.decode()
    const canvas = document.createElement('canvas')
    canvas.width = image.width
    canvas.height = image.height
    const context = canvas.getContext('2d')
    context.drawImage(image, 0, 0)
    const pixels = context.getImageData(0, 0, image.width, image.height).data
    return new Set(new Uint32Array(pixels.buffer)).size
}
"""
"""How many colours a picture has."""
LIGHTNESS = """
() => {
    const [red, green, blue] = getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g)
    return (Number(red) + Number(green) + Number(blue)) / 3 / 255
}
"""
"""Of the page's background: 0 is black, 1 is white."""


@dataclass
class Visit:
    """A tab, and what went on in it."""

    page: Page
    responses: list[Response] = field(default_factory=list[Response])
    complaints: list[str] = field(default_factory=list[str])
    """Errors of the console, of scripts and of the network."""

    def __post_init__(self) -> None:
        self.page.set_default_timeout(WAIT_MS)
        self.page.on("response", self._on_response)
        self.page.on("pageerror", self._on_error)
        self.page.on("console", self._on_console)
        self.page.on("requestfailed", self._on_failure)

    def _on_response(self, response: Response) -> None:
        self.responses.append(response)

    def _on_error(self, error: Error) -> None:
        self.complaints.append(error.message)

    def _on_console(self, said: ConsoleMessage) -> None:
        # Of a text, which names no icon, the browser asks the origin for one.
        if said.type == "error" and not said.location["url"].endswith("/favicon.ico"):
            self.complaints.append(said.text)

    def _on_failure(self, request: Request) -> None:
        # A browser drops a media request as soon as it has what it wants.
        if request.resource_type != "media":
            self.complaints.append(f"{request.url}: {request.failure}")

    def status(self, name: str) -> int:
        """Return the status of what was asked for last under a file name."""
        return next(
            answer.status
            for answer in reversed(self.responses)
            if urlsplit(answer.url).path.endswith(name)
        )


@pytest.fixture(name="demo", scope="module")
def demo_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("demo")
    car = pack_demo(folder, lambda _: None)
    hosts = f'[hosts."{HOST}"]\n'
    with running_origin(car) as origin, gateway(folder / "gateway", origin, extra=hosts) as running:
        yield running
    car.unlink()


@pytest.fixture(name="chromium", scope="module")
def chromium_fixture() -> Iterator[Browser]:
    with peers_or_skip():
        path = program("chromium", "apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(name="visit")
def visit_fixture(chromium: Browser) -> Iterator[Visit]:
    with chromium.new_context() as context:
        yield Visit(context.new_page())


@pytest.fixture(name="plain")
def plain_fixture(chromium: Browser) -> Iterator[Visit]:
    with chromium.new_context(java_script_enabled=False) as context:
        yield Visit(context.new_page())


def _by_path(demo: Gateway) -> str:
    return f"{demo.server.url}/ipfs/{DEMO_ROOT}"


def _by_subdomain(demo: Gateway) -> str:
    return f"http://{DEMO_ROOT}.ipfs.localhost:{urlsplit(demo.server.url).port}"


SITES = [pytest.param(_by_path, id="path"), pytest.param(_by_subdomain, id="subdomain")]


@pytest.mark.parametrize("site", SITES)
def test_the_site_loads_with_its_style_and_pictures(
    demo: Gateway, visit: Visit, site: Callable[[Gateway], str]
) -> None:
    visit.page.goto(f"{site(demo)}/", wait_until="networkidle")
    assert visit.page.title() == "It works: verified content"
    header = visit.page.locator("header")
    assert header.evaluate("it => getComputedStyle(it).backgroundImage").startswith("url(")
    assert [visit.status(name) for name in ("style.css", "picture.png", "icon.svg")] == [200] * 3
    assert visit.complaints == []


def test_a_subdomain_is_an_origin_of_its_own(demo: Gateway, visit: Visit) -> None:
    port = urlsplit(demo.server.url).port
    visit.page.goto(f"http://{HOST}:{port}/ipfs/{DEMO_ROOT}/many/entry-0999.txt")
    origin = f"http://{DEMO_ROOT}.ipfs.{HOST}:{port}"
    assert visit.page.url == f"{origin}/many/entry-0999.txt"
    assert visit.page.evaluate("origin") == origin
    assert "file 999 of 2000" in visit.page.inner_text("body")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_listing_is_drawn_in_light_and_dark(
    demo: Gateway, chromium: Browser, scheme: Literal["light", "dark"]
) -> None:
    with chromium.new_context(color_scheme=scheme) as context:
        visit = Visit(context.new_page())
        visit.page.goto(f"{_by_path(demo)}/many/", wait_until="networkidle")
        lightness = visit.page.evaluate(LIGHTNESS)
        picture = visit.page.screenshot()
        visit.page.goto("about:blank")  # whose policy lets a picture be read
        colours = visit.page.evaluate(COUNT_COLOURS, b64encode(picture).decode())
    assert (lightness > 0.5) == (scheme == "light")
    assert colours > 20
    assert visit.complaints == []


def test_a_listing_is_used_without_scripts(demo: Gateway, plain: Visit) -> None:
    plain.page.goto(f"{_by_path(demo)}/names/")
    plain.page.get_by_role("link", name="with spaces.txt", exact=True).click()
    assert "Spaces in a name" in plain.page.inner_text("body")
    plain.page.go_back()
    plain.page.get_by_role("link", name="..", exact=True).click()
    assert plain.page.title() == "It works: verified content"
    assert plain.complaints == []


def test_an_error_page_is_read_without_scripts(demo: Gateway, plain: Visit) -> None:
    plain.page.goto(f"{_by_path(demo)}/missing/page.html")
    assert plain.status("/missing/page.html") == 404
    text = plain.page.inner_text("body")
    assert "404" in text
    assert "missing" in text


@pytest.mark.parametrize("site", SITES)
def test_a_video_plays_from_where_one_jumps_to(
    demo: Gateway, visit: Visit, site: Callable[[Gateway], str]
) -> None:
    visit.page.goto(f"{site(demo)}/")
    video = visit.page.locator("video")
    video.evaluate("it => it.play()")
    visit.page.wait_for_function("() => document.querySelector('video').currentTime > 0.3")
    video.evaluate("it => { it.currentTime = 20 }")
    visit.page.wait_for_function("() => document.querySelector('video').currentTime > 20.3")
    assert video.evaluate("it => it.error") is None
    ranges = [r for r in visit.responses if r.url.endswith(".mp4")]
    assert {answer.status for answer in ranges} == {206}
    assert len(ranges) > 1
    assert visit.complaints == []
