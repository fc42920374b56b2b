"""The suite's results as a table of specifications and ways; docs/conformance.md has one."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from tests.conformance.suite import Report

SPECS = {
    "trustless-block-gateway": ("TestTrustlessRaw", "TestTrustlessRawRanges"),
    "trustless-car-gateway": (
        "TestTrustlessCarPathing",
        "TestTrustlessCarDagScopeBlock",
        "TestTrustlessCarDagScopeEntity",
        "TestTrustlessCarDagScopeAll",
        "TestTrustlessCarEntityBytes",
        "TestTrustlessCarFormatPrecedence",
    ),
    "trustless-car-gateway-optional": ("TestTrustlessCarOrderAndDuplicates",),
    "trustless-ipns-gateway": ("TestGatewayIPNSRecord",),
    "path-unixfs-gateway": (
        "TestCors",
        "TestUnixFSDirectoryListing",
        "TestGatewayCache",
        "TestGatewayCacheWithIPNS",
        "TestGatewaySymlink",
        "TestPathGatewayMiscellaneous",
    ),
    "path-range-gateway": ("TestGatewayUnixFSFileRanges",),
    "path-raw-gateway": ("TestGatewayBlock",),
    "path-tar-gateway": ("TestTar",),
    "path-dag-gateway": (
        "TestGatewayJsonCbor",
        "TestCodecMismatchReturns406",
        "TestPlainCodec",
        "TestPathing",
        "TestNativeDag",
        "TestGatewayJSONCborAndIPNS",
    ),
    "path-ipns-gateway": (
        "TestGatewayIPNSPath",
        "TestRedirectCanonicalIPNS",
        "TestGatewayIPNSRecordWithSubpath",
    ),
    "subdomain-ipfs-gateway": (
        "TestGatewaySubdomains",
        "TestUnixFSDirectoryListingOnSubdomainGateway",
    ),
    "subdomain-ipns-gateway": (
        "TestGatewaySubdomainAndIPNS",
        "TestSubdomainGatewayDNSLinkInlining",
    ),
    "dnslink-gateway": (
        "TestDNSLinkGatewayUnixFSDirectoryListing",
        "TestDNSLinkGatewayWithSubpath",
        "TestDNSLinkGatewayIPNS",
    ),
    "redirects-file": (
        "TestRedirectsFileSupport",
        "TestRedirectsFileSupportWithDNSLink",
        "TestRedirectsFileWithIfNoneMatchHeader",
    ),
    "proxy-gateway": ("TestProxyGatewaySubdomains", "TestProxyTunnelGatewaySubdomains"),
}
"""The suite's tests by the specification that each is mainly about."""
SPEC_OF = {test: spec for spec, tests in SPECS.items() for test in tests}
NO_SPEC = "TestMetadata"
"""It prints what is tested, and asks for nothing."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the suite."""

    report: Report
    known: Mapping[str, str]
    """Why cases fail that are meant to, by a pattern of their names."""

    def is_known(self, name: str) -> bool:
        """Is it known that this fails?"""
        return any(re.search(pattern, name) for pattern in self.known)


def format_table(runs: Mapping[str, Run]) -> str:
    """Return Markdown: the cases of each specification that passed, by way."""
    lines = [
        f"| specification | cases | {' | '.join(runs)} |",
        "|---|--:|" + "--:|" * len(runs),
        *(_row(spec, runs) for spec in (*SPECS, "all")),
    ]
    reasons = {pattern: reason for run in runs.values() for pattern, reason in run.known.items()}
    known = [f"- `{pattern}`: {reason}." for pattern, reason in reasons.items()]
    head = ("# Conformance", "", "Cases of gateway-conformance that passed.", "")
    return "\n".join((*head, *lines, "", "What is meant to fail, by name:", "", *known, ""))


def _row(spec: str, runs: Mapping[str, Run]) -> str:
    counts = [_count(spec, run) for run in runs.values()]
    cases = max((count.total() for count in counts), default=0)
    return f"| {spec} | {cases} | {' | '.join(_cell(count) for count in counts)} |"


def _count(spec: str, run: Run) -> Counter[str]:
    return Counter(
        "known" if result == "FAIL" and run.is_known(name) else result
        for name, result in run.report.cases.items()
        if spec in ("all", SPEC_OF.get(name.partition("/")[0]))
    )


def _cell(count: Counter[str]) -> str:
    words = {"FAIL": "failed", "SKIP": "skipped", "known": "meant to fail"}
    others = [f"{count[result]} {word}" for result, word in words.items() if count[result]]
    return f"{count['PASS']} ({', '.join(others)})" if others else f"{count['PASS']}"
