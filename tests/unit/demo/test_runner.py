import io
from pathlib import Path

import httpx
import pytest

from gateway.demo.pack import DEMO_ROOT
from gateway.demo.runner import greeting, run_demo, running_origin
from gateway.errors import CannotStart
from gateway.settings import AdminSettings, CacheSettings, ServerSettings, Settings


def test_the_demo_gives_its_origin_to_the_gateway_and_ends_with_it(tmp_path: Path) -> None:
    asked: list[tuple[Settings, int]] = []

    def serve(settings: Settings) -> None:
        (upstream,) = settings.upstreams
        answer = httpx.get(f"{upstream.url}/ipfs/{DEMO_ROOT}?format=raw")
        asked.append((settings, answer.status_code))

    out = io.StringIO()
    base = Settings(cache=CacheSettings(directory=str(tmp_path / "cache")))
    run_demo(base, serve, out)
    ((settings, status),) = asked
    assert status == 200
    assert settings.upstreams[0].tier == "cluster"
    assert settings.cache.directory == str(tmp_path / "cache-demo" / "cache")
    assert f"http://127.0.0.1:8080/ipfs/{DEMO_ROOT}/\n" in out.getvalue()
    with pytest.raises(httpx.ConnectError, match="refused"):
        httpx.get(settings.upstreams[0].url)


def test_a_demo_that_cannot_be_packed_says_where(tmp_path: Path) -> None:
    (tmp_path / "cache-demo").write_bytes(b"a file, not a folder")
    base = Settings(cache=CacheSettings(directory=str(tmp_path / "cache")))
    with pytest.raises(CannotStart, match=r"cannot pack the demo into .*cache-demo: "):
        run_demo(base, lambda _: None, io.StringIO())


def test_an_origin_that_does_not_start_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    car = tmp_path / "bad.car"
    car.write_bytes(b"not a CAR")
    with pytest.raises(CannotStart, match=r"does not start with .*bad\.car"), running_origin(car):
        pass
    assert "BadCar" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        pytest.param("127.0.0.1:8080", "http://127.0.0.1:8080/ipfs/", id="loopback"),
        pytest.param("0.0.0.0:80", "http://127.0.0.1:80/ipfs/", id="all-ipv4"),
        pytest.param("[::]:8080", "http://[::1]:8080/ipfs/", id="all-ipv6"),
        pytest.param("gateway.test:8080", "http://gateway.test:8080/ipfs/", id="name"),
        pytest.param("unix:/run/gw.sock", "unix:/run/gw.sock/ipfs/", id="unix"),
    ],
)
def test_the_greeting_names_addresses_that_can_be_opened(listen: str, url: str) -> None:
    settings = Settings(
        server=ServerSettings(listen=listen), admin=AdminSettings(listen="127.0.0.1:9091")
    )
    text = greeting(settings)
    assert f"{url}{DEMO_ROOT}/media/clock.mp4" in text
    assert "http://127.0.0.1:9091/api/v1/cache\n" in text
    assert 'tier = "cluster"' in text
