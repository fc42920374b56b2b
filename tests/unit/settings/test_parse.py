"""Every wrong key and value is refused by its name; what is right comes through."""

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadSettings
from gateway.settings import (
    CacheSettings,
    HostSettings,
    Settings,
    Shape,
    UpstreamSettings,
    format_settings,
    nearest_key,
    parse_settings,
    shape_of,
)

A = {"name": "a", "url": "http://10.0.0.1:8080"}

WRONG = [
    # key, tree, reason
    ("colour", {"colour": 1}, "unknown key `colour`"),
    ("serve", {"serve": {}}, "did you mean `server`?"),
    ("upstream", {"upstream": []}, "did you mean `upstreams`?"),
    ("disk_size", {"disk_size": "1GiB"}, "did you mean `cache.disk_size`?"),
    ("cache.disksize", {"cache": {"disksize": "1GiB"}}, "did you mean `disk_size`?"),
    ("cache.Directory", {"cache": {"Directory": "/x"}}, "did you mean `directory`?"),
    ("cache", {"cache": "big"}, "must be a table, not text"),
    ("cache.disk_size", {"cache": {"disk_size": 10}}, "must be text, not the number 10"),
    ("cache.disk_size", {"cache": {"disk_size": "-1GiB"}}, "not a number with a unit"),
    ("cache.disk_size", {"cache": {"disk_size": "10"}}, "not a number with a unit"),
    ("cache.disk_size", {"cache": {"disk_size": "10 gb"}}, "unknown unit"),
    ("cache.disk_size", {"cache": {"disk_size": "99999999TiB"}}, "more than any disk"),
    ("cache.memory_size", {"cache": {"memory_size": True}}, "must be text, not true"),
    ("cache.directory", {"cache": {"directory": ""}}, "must not be empty"),
    ("cache.directory", {"cache": {"directory": "/a\nb"}}, "control character"),
    ("cache.read_verification", {"cache": {"read_verification": "no"}}, 'one of "cid", "tag"'),
    ("retrieval.mode", {"retrieval": {"mode": "CAR"}}, 'one of "car", "block"'),
    ("retrieval.idle_timeout", {"retrieval": {"idle_timeout": "0s"}}, "more than zero"),
    ("retrieval.idle_timeout", {"retrieval": {"idle_timeout": 10}}, "must be text"),
    ("retrieval.idle_timeout", {"retrieval": {"idle_timeout": "10 sec"}}, "unknown unit"),
    (
        "retrieval.first_byte_timeout",
        {"retrieval": {"first_byte_timeout": "2h"}},
        "longer than retrieval.total_timeout",
    ),
    ("server.listen", {"server": {"listen": "8080"}}, "is not host:port"),
    ("server.listen", {"server": {"listen": ":8080"}}, "has no host"),
    ("server.listen", {"server": {"listen": "127.0.0.1:65536"}}, "port up to 65535"),
    ("server.listen", {"server": {"listen": "300.0.0.1:80"}}, "has no host"),
    ("server.listen", {"server": {"listen": "::1:8080"}}, "in brackets"),
    ("server.listen", {"server": {"listen": "[x]:8080"}}, "no IPv6 address"),
    ("server.listen", {"server": {"listen": "unix:run.sock"}}, "absolute path"),
    ("server.listen", {"server": {"listen": "unix:/" + "x" * 107}}, "longer than the 107 bytes"),
    ("server.workers", {"server": {"workers": 0}}, "not between 1 and 256"),
    ("server.workers", {"server": {"workers": "2"}}, "must be a whole number, not text"),
    ("server.workers", {"server": {"workers": 1.5}}, "must be a whole number"),
    ("server.trusted_proxies", {"server": {"trusted_proxies": "10.0.0.1"}}, "a list of texts"),
    ("server.trusted_proxies", {"server": {"trusted_proxies": ["nginx"]}}, "no address, network"),
    ("server.trusted_proxies", {"server": {"trusted_proxies": ["10.0.0.1/8"]}}, "host bits set"),
    ("server.trusted_proxies", {"server": {"trusted_proxies": ["unix", 1]}}, "the number 1 in it"),
    (
        "server.max_concurrent_requests",
        {"server": {"max_concurrent_requests": -1}},
        "not between 1 and 1000000",
    ),
    ("admin.listen", {"admin": {"listen": "127.0.0.1:8080"}}, "is server.listen, too"),
    ("admin.token", {"admin": {"listen": "0.0.0.0:8081"}}, "reached from other machines"),
    ("admin.token", {"admin": {"token": "a b"}}, "without spaces"),
    ('hosts."a b"', {"hosts": {"a b": {}}}, "is not a host name"),
    (
        'hosts."Example.com."',
        {"hosts": {"example.com": {}, "Example.com.": {}}},
        'example.com", too',
    ),
    ("hosts", {"hosts": ["example.com"]}, "must be a table, not a list"),
    ('hosts."a.b"', {"hosts": {"a.b": True}}, "must be a table, not true"),
    ('hosts."a.b".paths', {"hosts": {"a.b": {"paths": ["/x"]}}}, 'one of "/ipfs", "/ipns"'),
    ('hosts."a.b".subdomains', {"hosts": {"a.b": {"subdomains": 1}}}, "must be true or false"),
    ("names.resolver", {"names": {"resolver": "dns.example"}}, "address of a DNS server"),
    ("names.resolver", {"names": {"resolver": "https:///dns-query"}}, "has no host"),
    ("names.resolver", {"names": {"resolver": "dns.example:53"}}, "address of a DNS server"),
    ("names.resolver", {"names": {"resolver": "unix:/dns"}}, "address of a DNS server"),
    ("names.resolver", {"names": {"resolver": "1.1.1.1:0"}}, "address of a DNS server"),
    ("names.resolver", {"names": {"resolver": "http://dns.example/dns-query"}}, "of this machine"),
    ("names.dnslink", {"names": {"dnslink": {"a.b": "bafy"}}}, "neither /ipfs/ nor /ipns/"),
    ("names.dnslink", {"names": {"dnslink": {"a b": "/ipfs/x"}}}, "is not a host name"),
    (
        "names.dnslink",
        {"names": {"dnslink": {"a.b": "/ipfs/x", "A.b": "/ipfs/y"}}},
        '"A.b" is "a.b", too',
    ),
    ("names.dnslink", {"names": {"dnslink": {"1.2": "/ipfs/x"}}}, "of two labels or more"),
    ("names.dnslink", {"names": {"dnslink": {"a": "/ipfs/x"}}}, "of two labels or more"),
    ("names.allowed", {"names": {"allowed": "example.com"}}, "a list of texts"),
    ("names.allowed", {"names": {"allowed": ["*.a.b", "a.*"]}}, '"a.*" is not "example.com"'),
    ("names.dnslink", {"names": {"dnslink": {"a.b": 7}}}, "a table with the number 7 in it"),
    ("upstreams", {"upstreams": "http://a"}, "must be [[upstreams]], not text"),
    ("upstreams[0]", {"upstreams": ["http://a"]}, "must be a table, not text"),
    ("upstreams[0].url", {"upstreams": [{"name": "a"}]}, "is required"),
    ("upstreams[0].name", {"upstreams": [{"url": "http://a"}]}, "is required"),
    ("upstreams[0].name", {"upstreams": [{**A, "name": "a b"}]}, "letters, digits"),
    ("upstreams[0].port", {"upstreams": [{**A, "port": 1}]}, "unknown key `port`"),
    ("upstreams[0].url", {"upstreams": [{**A, "url": "ftp://a"}]}, "does not start with http"),
    ("upstreams[0].url", {"upstreams": [{**A, "url": "http://u:p@a"}]}, "a user name"),
    ("upstreams[0].url", {"upstreams": [{**A, "url": "http://a/ipfs"}]}, "has a path"),
    ("upstreams[0].url", {"upstreams": [{**A, "url": "http://a?x=1"}]}, "has a query"),
    ("upstreams[0].url", {"upstreams": [{**A, "url": "http://a?"}]}, "has a query"),
    ("upstreams[0].url", {"upstreams": [{**A, "url": "http://:80"}]}, "has no host"),
    ("upstreams[0].url", {"upstreams": [{**A, "url": "http://a:99999"}]}, "is not a URL"),
    ("upstreams[0].url", {"upstreams": [{**A, "url": "http://[::1"}]}, "is not a URL"),
    ("upstreams[0].url", {"upstreams": [{**A, "url": "http://a:0"}]}, "has the port 0"),
    ("upstreams[0].url", {"upstreams": [{**A, "url": "http://a b"}]}, "has no host"),
    ("upstreams[0].url", {"upstreams": [{**A, "url": "http://a/#"}]}, "has a query"),
    ("upstreams[0].url", {"upstreams": [{**A, "url": "http://127.0.0.1:8080"}]}, "itself"),
    ("upstreams[0].url", {"upstreams": [{**A, "url": "http://localhost:8080"}]}, "itself"),
    ("upstreams[0].tier", {"upstreams": [{**A, "tier": "edge"}]}, 'one of "cluster", "public"'),
    ("upstreams[0].country", {"upstreams": [{**A, "country": "SWE"}]}, "two letters"),
    ("upstreams[0].latitude", {"upstreams": [{**A, "latitude": 91}]}, "not between -90 and 90"),
    (
        "upstreams[0].latitude",
        {"upstreams": [{**A, "latitude": float("nan"), "longitude": 0}]},
        "nan is not between",
    ),
    ("upstreams[0].longitude", {"upstreams": [{**A, "latitude": 1.5}]}, "other coordinate"),
    ("upstreams[0].latitude", {"upstreams": [{**A, "longitude": 1.5}]}, "other coordinate"),
    ("upstreams[1].name", {"upstreams": [A, {**A, "url": "http://b"}]}, "is upstreams[0], too"),
    ("upstreams[1].url", {"upstreams": [A, {**A, "name": "b"}]}, "is upstreams[0], too"),
    (
        "upstreams[1].url",
        {"upstreams": [{**A, "url": "http://c.d"}, {"name": "b", "url": "http://C.d."}]},
        "is upstreams[0], too",
    ),
    ("upstreams[0].continent", {"upstreams": [{**A, "continent": "XX"}]}, "is not one of AF"),
    ("upstreams[0].concurrency", {"upstreams": [{**A, "concurrency": 0}]}, "not between 1"),
    ("selection.pins", {"selection": {"pins": ["EU"]}}, "neither "),
    ("selection.pins", {"selection": {"pins": ["city:EU"]}}, "neither "),
    ("selection.pins", {"selection": {"pins": ["continent:SE"]}}, "is not one of AF"),
    ("selection.pins", {"selection": {"pins": ["country:SWE"]}}, "two letters"),
    ("selection.pins", {"selection": {"pins": ["continent:EU"]}, "upstreams": [A]}, "nobody"),
    ("selection.debug_header", {"selection": {"debug_header": 1}}, "must be true or false"),
    ("cluster.gateway_port", {"cluster": {"gateway_port": 65536}}, "not between 0"),
    ("cluster.api", {"cluster": {"api": "http://a:9094", "password": "x"}}, "needs https"),
    ("cluster.authority", {"cluster": {"api": "http://a", "authority": "x"}}, "of no use"),
    ("cluster.api", {"cluster": {"api": "10.0.0.1:9094"}}, "does not start with http"),
    ("shared.redis", {"shared": {"redis": "http://a"}}, "redis://"),
    ("shared.redis", {"shared": {"redis": "redis://"}}, "has no host"),
    ("shared.bucket", {"shared": {"bucket": "blocks"}}, "s3://bucket"),
    ("shared.endpoint", {"shared": {"endpoint": "s3.local"}}, "does not start with http"),
    ("shared.timeout", {"shared": {"timeout": "50"}}, "not a number with a unit"),
    ("geoip.database", {"geoip": {"database": []}}, "must be text, not a list"),
    ("limits.requests", {"limits": {"requests": "many"}}, "is not a rate"),
    ("limits.requests", {"limits": {"requests": "6/year"}}, "is not a rate"),
    ("limits.requests", {"limits": {"requests": "0/minute"}}, "lets nobody in"),
    ("limits.burst", {"limits": {"burst": 0}}, "not between 1 and 1000000"),
    ("limits.connections", {"limits": {"connections": -1}}, "not between 0 and 1000000"),
    ("denylist.files", {"denylist": {"files": "bad.deny"}}, "must be a list"),
    ("log.access", {"log": {"access": "JSON"}}, 'one of "json", "combined", "off"'),
]


@pytest.mark.parametrize(
    ("key", "tree", "reason"), WRONG, ids=[f"{key}-{i}" for i, (key, _, _) in enumerate(WRONG)]
)
def test_a_wrong_setting_is_refused_by_its_name(
    key: str, tree: dict[str, object], reason: str
) -> None:
    with pytest.raises(BadSettings, match=re.escape(f"{key}: ")) as caught:
        parse_settings(tree)

    assert [(p.key, reason in p.reason) for p in caught.value.problems if p.key == key] == [
        (key, True)
    ]


def test_every_mistake_is_told_at_once() -> None:
    tree = {"server": {"workers": 0, "port": 80}, "log": {"access": 1}, "x": 1}

    with pytest.raises(BadSettings, match="workers") as caught:
        parse_settings(tree)

    keys = {problem.key for problem in caught.value.problems}
    assert keys == {"server.workers", "server.port", "log.access", "x"}


def test_the_reason_never_repeats_a_secret() -> None:
    tree = {
        "admin": {"token": "hush hush"},
        "upstreams": [{"name": "a", "url": "http://me:hush@a"}],
        "shared": {"redis": "http://:hush@a"},
    }

    with pytest.raises(BadSettings, match="token") as caught:
        parse_settings(tree)

    assert "hush" not in str(caught.value)


def test_nothing_set_gives_the_defaults() -> None:
    assert parse_settings({}) == Settings()


def test_values_come_with_their_units() -> None:
    settings = parse_settings(
        {
            "cache": {"disk_size": "1.5GiB", "memory_size": "0", "directory": "/var/cache/x"},
            "retrieval": {"first_byte_timeout": "500ms", "total_timeout": "2m"},
            "limits": {"requests": ""},
        }
    )

    assert settings.cache == CacheSettings(
        directory="/var/cache/x", disk_size=1536 * 1024**2, memory_size=0
    )
    assert settings.retrieval.first_byte_timeout == 0.5
    assert settings.retrieval.total_timeout == 120
    assert settings.limits.requests == ""


def test_upstreams_and_hosts_come_in_one_form() -> None:
    settings = parse_settings(
        {
            "upstreams": [{**A, "url": "http://10.0.0.1:8080/", "country": "se"}],
            "hosts": {"Example.COM": {"paths": ["/ipfs"]}},
        }
    )

    assert settings.upstreams == (
        UpstreamSettings(name="a", url="http://10.0.0.1:8080", country="SE"),
    )
    assert settings.hosts == {"example.com": HostSettings(paths=("/ipfs",))}


@pytest.mark.parametrize(
    ("text", "host"),
    [
        pytest.param("Example.com", "example.com", id="case"),
        pytest.param("gw.svc.cluster.local.", "gw.svc.cluster.local", id="final-dot"),
        pytest.param("ipfs_gateway", "ipfs_gateway", id="underscore"),
    ],
)
def test_hosts_are_kept_in_their_one_spelling(text: str, host: str) -> None:
    """Issue 12, 15: the Host header is looked up in that spelling."""
    assert list(parse_settings({"hosts": {text: {}}}).hosts) == [host]


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        pytest.param("computer_programmer.example", "computer_programmer.example", id="underscore"),
        pytest.param("Docs.Example.com.", "docs.example.com", id="case-and-final-dot"),
    ],
)
def test_static_dnslinks_are_kept_in_their_one_spelling(text: str, domain: str) -> None:
    """Issue 12, 15: the DNS serves names with underscores, and they were refused at the start."""
    names = parse_settings({"names": {"dnslink": {text: "/ipfs/x"}}}).names
    assert names.dnslink == {domain: "/ipfs/x"}


@pytest.mark.parametrize(
    "url", ["http://cache_ipfs_1:8080", "http://kubo.ipfs.svc.cluster.local.:8080"]
)
def test_upstreams_are_called_as_compose_and_kubernetes_call_them(url: str) -> None:
    """Issue 12, 15: they were refused as URLs that have no host."""
    (upstream,) = parse_settings({"upstreams": [{**A, "url": url}]}).upstreams
    assert upstream.url == url


def test_a_token_opens_the_admin_listener_to_other_machines() -> None:
    settings = parse_settings({"admin": {"listen": "0.0.0.0:8081", "token": "s3cret"}})

    assert settings.admin.token == "s3cret"  # noqa: S105 (a test's)
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    "listen", ["unix:/run/gateway.sock", "[::1]:8080", "localhost:8080", "0.0.0.0:0"]
)
def test_listen_takes_addresses_names_and_unix_sockets(listen: str) -> None:
    assert parse_settings({"server": {"listen": listen}}).server.listen == listen


@pytest.mark.parametrize(
    "resolver",
    [
        "system",
        "1.1.1.1",
        "::1",
        "127.0.0.1:5353",
        "[::1]:53",
        "https://dns.example/dns-query",
        "http://127.0.0.1:8053/dns-query",
    ],
)
def test_resolvers_are_the_system_a_server_or_a_url(resolver: str) -> None:
    assert parse_settings({"names": {"resolver": resolver}}).names.resolver == resolver


def test_trusted_proxies_are_addresses_networks_and_unix() -> None:
    peers = ["unix", "10.0.0.0/8", "fd00::/8", "192.0.2.1"]

    settings = parse_settings({"server": {"trusted_proxies": peers}})

    assert settings.server.trusted_proxies == tuple(peers)


def test_no_upstream_is_taken_for_a_gateway_behind_a_unix_socket() -> None:
    settings = parse_settings({"server": {"listen": "unix:/run/a.sock"}, "upstreams": [A]})

    assert settings.upstreams[0].name == "a"


@pytest.mark.property
@given(
    tree=st.fixed_dictionaries(
        {},
        optional={
            "server": st.fixed_dictionaries({}, optional={"workers": st.integers(1, 256)}),
            "cache": st.fixed_dictionaries(
                {"disk_size": st.integers(0, 2**53).map(lambda size: f"{size}B")}
            ),
            "retrieval": st.fixed_dictionaries(
                {"total_timeout": st.integers(10_000, 10**9).map(lambda ms: f"{ms}ms")}
            ),
            "upstreams": st.just([{**A, "latitude": 59.33, "longitude": 18.07, "country": "SE"}]),
            "hosts": st.just({"a.b": {"inline_dnslink": False}}),
        },
    )
)
def test_formatting_undoes_parsing(tree: dict[str, object]) -> None:
    settings = parse_settings(tree)

    assert parse_settings(format_settings(settings)) == settings


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)


@pytest.mark.property
@given(
    section=st.sampled_from(sorted(format_settings(Settings()))),
    key=st.sampled_from(sorted({k for v in format_settings(Settings()).values() for k in v})),
    value=_ANYTHING,
)
def test_no_value_breaks_the_parser(section: str, key: str, value: object) -> None:
    trees: list[dict[str, object]] = [{section: value}, {section: {key: value}}, {section: [value]}]
    for tree in trees:
        with contextlib.suppress(BadSettings):
            parse_settings(tree)


def test_shape_tells_text_from_lists() -> None:
    assert shape_of("cache", "disk_size") is Shape.TEXT
    assert shape_of("server", "trusted_proxies") is Shape.TEXTS
    assert shape_of("cache", "nothing") is None
    assert shape_of("nothing", "cache") is None


def test_nothing_near_is_no_hint() -> None:
    assert nearest_key("zzzzzz", ["listen"]) == ""
