"""The official suite (gateway-conformance), run as a program; its verbose output as a report.

The program is the suite's Go tests compiled with `go test -c`; it needs no Go when it runs. It
finds its fixtures below GATEWAY_CONFORMANCE_HOME and tells every request and check by its name:
`Test/case/check`, where each level may have been run, and have failed, by itself.
"""

import os
import re
import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.rig.harness import program

FIXTURES = Path(__file__).parents[1] / "data" / "gateway-conformance"
SUITE_HINT = (
    "it is in no package registry; in a checkout of https://github.com/ipfs/gateway-conformance, "
    "v0.13.2: go test -c -o conformance.test ./tests"
)
RUN_S = 150
"""The suite takes a second; one request of it may wait two minutes."""

_ERROR_CHARACTERS = 300
_RESULT = re.compile(r"^ *--- (PASS|FAIL|SKIP): (\S+) \(", re.MULTILINE)
_NAMED = re.compile(r"^=== (?:RUN|NAME|CONT) +(\S+)$", re.MULTILINE)
_ERROR = re.compile(r"^ +Error: (.*?)\n *\n", re.MULTILINE | re.DOTALL)
_REQUEST = re.compile(r"Actual Request:\n *(\S+ \S+) HTTP\S*\s+Host: (\S+)")


@dataclass(frozen=True, slots=True)
class Report:
    """What one run of the suite said."""

    results: Mapping[str, str]
    """`PASS`, `FAIL` or `SKIP` by name; a name of a test, a case or a check in it."""
    errors: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    """What was wrong, with the request, by the name of what failed."""

    @property
    def passes(self) -> int:
        """How many tests, cases and checks passed."""
        return list(self.results.values()).count("PASS")

    @property
    def cases(self) -> dict[str, str]:
        """The results of single requests."""
        return {name: result for name, result in self.results.items() if name.count("/") == 1}

    @property
    def failed(self) -> list[str]:
        """The names of what failed and holds nothing else that failed."""
        names = {name for name, result in self.results.items() if result == "FAIL"}
        above = {name.rpartition("/")[0] for name in names}
        return sorted(names - above)

    def explain(self, names: Sequence[str]) -> str:
        """Return a text for the developer: each name with what was wrong."""
        return "\n".join(
            f"{name}\n" + "".join(f"    {error}\n" for error in self.errors.get(name, ()))
            for name in names
        )


def run_suite(url: str, host_url: str, log: Path) -> Report:
    """Run the whole suite against a gateway.

    Args:
        url: where all requests are sent.
        host_url: the scheme and host of the gateway with subdomains.
        log: a file for the whole output.

    Raises:
        MissingUnpackaged: the suite is not here.
    """
    home = log.parent / f"{log.stem}-home"
    home.mkdir(parents=True)
    (home / "fixtures").symlink_to(FIXTURES)
    done = subprocess.run(  # noqa: S603 (a peer that we were told to use, no shell)
        [program("conformance.test", SUITE_HINT, is_packaged=False), "-test.v"],
        cwd=home,
        env={
            **os.environ,
            "GATEWAY_CONFORMANCE_HOME": str(home),
            "GATEWAY_URL": url,
            "SUBDOMAIN_GATEWAY_URL": host_url,
        },
        capture_output=True,
        check=False,
        timeout=RUN_S,
    )
    output = (done.stdout + done.stderr).decode(errors="replace")
    log.write_text(output)
    return parse_output(output)


def parse_output(output: str) -> Report:
    """Read what the suite says with `-test.v`."""
    results = {name: result for result, name in _RESULT.findall(output)}
    errors: dict[str, list[str]] = defaultdict(list)
    _, *parts = _NAMED.split(output)
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        errors[name].extend(_errors(text))
    return Report(results, errors)


def _errors(text: str) -> list[str]:
    request = _REQUEST.search(text)
    asked = f" ({request[1]}, Host: {request[2]})" if request else ""
    return [error[:_ERROR_CHARACTERS] + asked for error in _ERROR.findall(text)]
