"""Which domains DNS is asked about."""

import pytest

from gateway.naming.domains import AllowedDomains, is_special


@pytest.mark.parametrize(
    ("patterns", "domain", "is_allowed"),
    [
        pytest.param(["*"], "any.example", True, id="any"),
        pytest.param([], "any.example", False, id="none"),
        pytest.param(["example.com"], "example.com", True, id="itself"),
        pytest.param(["example.com"], "www.example.com", False, id="not-below"),
        pytest.param(["*.example.com"], "www.example.com", True, id="below"),
        pytest.param(["*.example.com"], "a.b.example.com", True, id="far-below"),
        pytest.param(["*.example.com"], "example.com", False, id="not-itself"),
        pytest.param(["*.example.com"], "badexample.com", False, id="not-the-same-end"),
        pytest.param(["Example.COM."], "example.com", True, id="spelling"),
        pytest.param(["a.example", "*.b.example"], "x.b.example", True, id="several"),
    ],
)
def test_patterns(patterns: list[str], domain: str, is_allowed: bool) -> None:  # noqa: FBT001 (a table)
    assert (domain in AllowedDomains(patterns)) is is_allowed


@pytest.mark.parametrize(
    "domain",
    [
        "a.localhost",
        "a.test",
        "a.invalid",
        "printer.local",
        "x.onion",
        "home.arpa",
        "1.168.192.in-addr.arpa",
        "a.alt",
        "db.internal",
    ],
)
def test_names_for_private_use_are_special(domain: str) -> None:
    assert is_special(domain)


@pytest.mark.parametrize("domain", ["example.com", "local.example", "vitalik.eth", "testing.dev"])
def test_other_names_are_not_special(domain: str) -> None:
    assert not is_special(domain)
