"""The official suite against the real gateway: each way to fetch, cold and warm, behind nginx.

First it runs against Kubo itself: what Kubo passes, here, is what the gateway has to pass. The
whole output is in `build/conformance/`, the table of it in `build/conformance.md`.
"""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from benchmarks.rig.harness import Server, free_port, running_nginx
from tests.conformance.node import dnslinks, running_node
from tests.conformance.suite import Report, run_suite
from tests.conformance.table import NO_SPEC, SPEC_OF, Run, format_table
from tests.integration.conftest import gateway, peers_or_skip
from tests.integration.nginx_stack import configure

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.xdist_group("conformance")]

BUILD = Path(__file__).parents[2] / "build"
SUITE_RESULTS = 1258
"""Tests, cases and checks of v0.13.2: a run that says less did not run it all."""
HOSTS = """
[hosts."example.com"]
subdomains = true
inline_dnslink = true
paths = ["/ipfs", "/ipns"]
[hosts."localhost"]
subdomains = true
inline_dnslink = true
paths = ["/ipfs", "/ipns"]
"""
NGINX_NAMES = (
    "server_name localhost 127.0.0.1 fake.domain.com example.com *.example.com *.example.org;\n"
)

# Why Kubo 0.43 fails what the suite of before IPIP-0548 asks for, by a pattern of the names.
KNOWN_OF_KUBO = {
    "/Header_X-I(pfs|PFS)-Path$": "Kubo >= 0.43 sends Ipfs-Uri in the place of X-Ipfs-Path",
}
# Why the gateway is meant to fail cases that Kubo passes, by a pattern of their names.
KNOWN = {
    "^TestProxyTunnel": "CONNECT is refused: the gateway is not a way into other networks",
}
KNOWN_BEHIND_NGINX = KNOWN | {
    "X-Forwarded-Host": "nginx overwrites what a client says of itself; the host is that of `Host`",
    "X-Forwarded-Proto(:_https|_redirects)": "so is the scheme: it is that of the connection",
}


@dataclass(slots=True)
class Runs:
    """What ran in this session, by the way it went."""

    folder: Path
    by_way: dict[str, Run] = field(default_factory=dict[str, Run])

    def run(self, way: str, url: str, host_url: str, known: Mapping[str, str] = KNOWN) -> Run:
        """Run the suite and keep its report and its output."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / f"{way.replace(', ', '-')}.log"
        self.by_way[way] = run = Run(run_suite(url, host_url, log), known)
        return run


@pytest.fixture(name="runs", scope="module")
def runs_fixture() -> Iterator[Runs]:
    shutil.rmtree(BUILD / "conformance", ignore_errors=True)
    runs = Runs(BUILD / "conformance")
    yield runs
    if runs.by_way:
        (BUILD / "conformance.md").write_text(format_table(runs.by_way))


@pytest.fixture(name="node", scope="module")
def node_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with peers_or_skip(), running_node(tmp_path_factory.mktemp("node")) as node:
        yield node


@pytest.fixture(name="kubo", scope="module")
def kubo_fixture(runs: Runs, node: Server) -> Report:
    with peers_or_skip():
        host_url = f"http://localhost:{urlsplit(node.url).port}"
        return runs.run("Kubo", node.url, host_url, KNOWN_OF_KUBO).report


@dataclass(frozen=True, slots=True)
class Direct:
    """A gateway that the suite has been run against once."""

    mode: str
    url: str
    host_url: str
    first: Run


@pytest.fixture(name="direct", scope="module", params=["car", "block"])
def direct_fixture(
    request: pytest.FixtureRequest,
    runs: Runs,
    node: Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Direct]:
    mode = str(request.param)
    host = {"car": "localhost", "block": "example.com"}[mode]
    with gateway(tmp_path_factory.mktemp(mode), node.url, **_config(mode)) as running:
        url = running.server.url
        host_url = f"http://{host}:{urlsplit(url).port}"
        yield Direct(mode, url, host_url, runs.run(f"{mode}, cold", url, host_url))


def _config(mode: str) -> dict[str, str]:
    links = ", ".join(f"{json.dumps(name)} = {json.dumps(to)}" for name, to in dnslinks().items())
    return {
        "server": 'trusted_proxies = ["127.0.0.1"]',
        "extra": f'[retrieval]\nmode = "{mode}"\n[names]\ndnslink = {{ {links} }}\n{HOSTS}',
    }


def _assert_as_kubo(run: Run, kubo: Report) -> None:
    """Nothing failed but what is meant to, all of that did, and everything has run."""
    report = run.report
    new = [name for name in report.failed if not run.is_known(name)]
    old = [p for p in run.known if not any(re.search(p, name) for name in report.failed)]
    assert not new, f"{len(new)} checks failed:\n{report.explain(new)}"
    assert not old, f"these pass now, so they are no longer meant to fail: {old}"
    assert report.cases.keys() == kubo.cases.keys()


def test_kubo_itself_passes(kubo: Report) -> None:
    new = [name for name in kubo.failed if not Run(kubo, KNOWN_OF_KUBO).is_known(name)]
    assert not new, kubo.explain(new)
    assert len(kubo.results) == SUITE_RESULTS


def test_every_test_has_its_specification(kubo: Report) -> None:
    tests = {name.partition("/")[0] for name in kubo.results}
    assert tests == {*SPEC_OF, NO_SPEC}


def test_a_cold_cache_passes(direct: Direct, kubo: Report) -> None:
    _assert_as_kubo(direct.first, kubo)


def test_a_warm_cache_passes(direct: Direct, kubo: Report, runs: Runs) -> None:
    run = runs.run(f"{direct.mode}, warm", direct.url, direct.host_url)
    _assert_as_kubo(run, kubo)


def test_it_passes_behind_nginx(node: Server, kubo: Report, runs: Runs, tmp_path: Path) -> None:
    port, folder = free_port(), tmp_path / "nginx"
    with gateway(tmp_path / "gateway", node.url, **_config("car")) as running, peers_or_skip():
        configure(folder, port, urlsplit(running.server.url).netloc)
        (folder / "site" / "names.conf").write_text(NGINX_NAMES)
        with running_nginx(folder, f"http://127.0.0.1:{port}") as nginx:
            run = runs.run("nginx", nginx.url, "http://example.com", KNOWN_BEHIND_NGINX)
    _assert_as_kubo(run, kubo)
