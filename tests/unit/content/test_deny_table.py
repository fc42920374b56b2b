"""Which paths and blocks rules forbid.

The examples are those of https://specs.ipfs.tech/compact-denylist-format/ and of its test fixtures
(https://github.com/ipfs-shipyard/nopfs/tree/master/tester).
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.cid import Cid, parse_cid
from gateway.content.deny_rules import parse_rule
from gateway.content.deny_table import NEVER_BLOCKED, DenyTable, DenyTableBuilder
from gateway.content.path import ContentPath, parse_path

R1 = "bafybeihvvulpp4evxj7x7armbqcyg6uezzuig6jp3lktpbovlqfkuqeuoq"
R2 = "QmdWFA9FL52hx3j9EJZPQP1ZUH8Ygi5tLCX2cRDs6knSf8"
R5 = "QmUboz9UsQBDeS6Tug1U8jgoFkgYxyYood9NDyVURAY9pK"
KEY = "k51qzi5uqu5dhmzyv3zac033i7rl9hkgczxyl81lwoukda2htteop7d3x0y1mf"
OLD = "bafybeiefwqslmf6zyyrxodaxx4vwqircuxpza5ri45ws3y5a62ypxti42e"
NEW = "bafybeidjwik6im54nrpfg7osdvmx7zojl5oaxqel5cmsz46iuelwf5acja"
BLAKE3 = "bafyb4ieqht3b2rssdmc7sjv2cy2gfdilxkfh7623nvndziyqnawkmo266a"


def table_of(*lines: str) -> DenyTable:
    builder = DenyTableBuilder()
    builder.open_file("a.deny")
    for number, line in enumerate(lines, 1):
        rule = parse_rule(line)
        if rule is not None:
            builder.add(rule, number)
    return builder.build()


def is_blocked(table: DenyTable, text: str) -> bool:
    path = parse_path(text.encode())
    is_root = isinstance(path, ContentPath)
    name = path.root if isinstance(path, ContentPath) else path.name
    return table.find(name, "/".join(path.segments), is_root=is_root) is not None


CASES = [
    pytest.param(
        [f"/ipfs/{R1}"],
        [
            f"/ipfs/{R1}",
            "/ipfs/bafkreihvvulpp4evxj7x7armbqcyg6uezzuig6jp3lktpbovlqfkuqeuoq",
            "/ipfs/QmesfgDQ3q6prBy2Kg2gKbW4MAGuWiRP2DVuGA5MZSERLo",
        ],
        [f"/ipfs/{R1}/sub", f"/ipfs/{R2}"],
        id="cid",
    ),
    pytest.param(
        [f"/ipfs/{R2}/*"],
        [f"/ipfs/{R2}", f"/ipfs/{R2}/", f"/ipfs/{R2}/a/b", f"/ipfs/{R2}/z/"],
        [f"/ipfs/{R1}"],
        id="all-below",
    ),
    pytest.param(
        [f"/ipfs/{R2}/test*"],
        [f"/ipfs/{R2}/test", f"/ipfs/{R2}/test2", f"/ipfs/{R2}/test/one"],
        [f"/ipfs/{R2}", f"/ipfs/{R2}/tes", f"/ipfs/{R2}/one/test"],
        id="prefix",
    ),
    pytest.param(
        [f"/ipfs/{R2}/test/*"],
        [f"/ipfs/{R2}/test", f"/ipfs/{R2}/test2", f"/ipfs/{R2}/test/one"],
        [f"/ipfs/{R2}", f"/ipfs/{R2}/tes"],
        id="prefix-with-slash",
    ),
    pytest.param(
        [f"/ipfs/{R2}/a/b%20c"],
        [f"/ipfs/{R2}/a/b%20c", f"/ipfs/{R2}/a/b%20c/"],
        [f"/ipfs/{R2}/a", f"/ipfs/{R2}/a/b%20c/d"],
        id="path",
    ),
    pytest.param(
        [
            f"/ipfs/{R5}/blocked*",
            f"!/ipfs/{R5}/blockednot",
            f"!/ipfs/{R5}/blocked/not",
            f"!/ipfs/{R5}/blocked/exceptions*",
        ],
        [f"/ipfs/{R5}/blocked", f"/ipfs/{R5}/blocked2", f"/ipfs/{R5}/blocked/not/this"],
        [
            f"/ipfs/{R5}/blockednot",
            f"/ipfs/{R5}/blocked/not",
            f"/ipfs/{R5}/blocked/exceptions",
            f"/ipfs/{R5}/blocked/exceptions2",
            f"/ipfs/{R5}/blocked/exceptions/one",
        ],
        id="exceptions",
    ),
    pytest.param(
        ["!/ipns/my.domain", "/ipns/my.domain"], ["/ipns/my.domain"], [], id="last-one-wins"
    ),
    pytest.param(
        ["/ipns/domain.example", "/ipns/domain2.example/path"],
        ["/ipns/domain.example", "/ipns/DOMAIN.example", "/ipns/domain2.example/path"],
        ["/ipns/domain.example/path", "/ipns/domain2.example", "/ipns/domain2.example/path2"],
        id="domain",
    ),
    pytest.param(
        [f"/ipns/{KEY}"],
        [
            f"/ipns/{KEY}",
            "/ipns/bafzaajaiaejcaotjfs57kieazxny5japcmy5p2pgv2cic77tu6ogghttvurnrufx",
            "/ipns/12D3KooWDkNqEJNmreF3NYYFK1ws7Ra2fuW6cHBTu567SPV3LdYA",
        ],
        [f"/ipns/{KEY}/path"],
        id="key",
    ),
    pytest.param(
        [
            "//d9d295bde21f422d471a90f2a37ec53049fdf3e5fa3ee2e8f20e10003da429e7",
            "//3f8b9febd851873b3774b937cce126910699ceac56e72e64b866f8e258d09572",
        ],
        [f"/ipfs/{OLD}", f"/ipfs/{OLD}/", f"/ipfs/{OLD}/path"],
        [f"/ipfs/{OLD}/path2"],
        id="old-double-hash",
    ),
    pytest.param(
        ["//c555c4de78827ba42527dd3dc5398db38d6c0a8c345a88e0158b2d100f317e50"],
        ["/ipns/bad-domain-name.tld"],
        ["/ipns/bad-domain-name.tld/a"],
        id="old-double-hash-of-a-domain",
    ),
    pytest.param(
        ["//QmX9dhRcQcKUw3Ws8485T5a9dtjrSCQaUAHnG4iK9i4ceM"],
        [f"/ipfs/{NEW}", "/ipfs/QmVTF1yEejXd9iMgoRTFDxBv7HAz9kuZcQNBzHrceuK9HR"],
        [f"/ipfs/{NEW}/path"],
        id="double-hash",
    ),
    pytest.param(
        ["//QmbK7LDv5NNBvYQzNfm2eED17SNLt1yNMapcUhSuNLgkqz"],
        [
            f"/ipfs/{BLAKE3}/path",
            "/ipfs/f01701e20903cf61d46521b05f926ba1634628d0bba8a7ffb5b6d5a3ca310682ca63b5ef0/path",
        ],
        [f"/ipfs/{BLAKE3}", f"/ipfs/{BLAKE3}/path2"],
        id="double-hash-of-a-path",
    ),
    pytest.param(
        ["//gW813G35CnLsy7gRYYHuf63hrz71U1xoLFDVeV7actx6oX"],
        [f"/ipfs/{BLAKE3}/path"],
        [f"/ipfs/{BLAKE3}/path2"],
        id="double-hash-by-blake3",
    ),
    pytest.param(
        ["//QmSju6XPmYLG611rmK7rEeCMFVuL6EHpqyvmEU6oGx3GR8"],
        ["/ipfs/bafybeihrw75yfhdx5qsqgesdnxejtjybscwuclpusvxkuttep6h7pkgmze/my/path"],
        ["/ipfs/bafybeihrw75yfhdx5qsqgesdnxejtjybscwuclpusvxkuttep6h7pkgmze/my"],
        id="double-hash-of-a-long-path",
    ),
]


@pytest.mark.parametrize(("rules", "blocked", "served"), CASES)
def test_rules_block_what_they_say(rules: list[str], blocked: list[str], served: list[str]) -> None:
    table = table_of(*rules)
    assert [path for path in blocked if not is_blocked(table, path)] == []
    assert [path for path in served if is_blocked(table, path)] == []


def test_no_rule_of_the_examples_minds_another() -> None:
    """All of them in one table: keys are found among others."""
    values = [case.values for case in CASES]
    table = table_of(*(rule for rules, _, _ in values for rule in rules))  # type: ignore[union-attr]  # a list
    assert all(is_blocked(table, path) for _, blocked, _ in values for path in blocked)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text",
    [
        "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn",
        "bafyaabakaieac",
        "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
        "bafkqaaa",
        "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH",
        "bafyreigbtj4x7ip5legnfznufuopl4sg4knzc2cof6duas4b3q2fy6swua",
        "baguqeeraiqjw7i2vwntyuekgvulpp2det2kpwt6cd7tx5ayqybqpmhfk76fa",
    ],
)
def test_empty_things_are_never_blocked(text: str) -> None:
    cid = parse_cid(text)
    assert cid.multihash in NEVER_BLOCKED
    assert not is_blocked(table_of(f"/ipfs/{text}", f"/ipfs/{text}/*"), f"/ipfs/{text}")


def test_a_verdict_says_status_reason_and_where() -> None:
    table = table_of("# nothing", f"/ipfs/{R1} gateway_status:451 reason:order", f"/ipfs/{R2}")
    verdicts = [table.find(parse_cid(text), "", is_root=True) for text in (R1, R2)]
    assert [(v.status, v.reason, v.where) for v in verdicts if v] == [
        (451, "order", "a.deny:2"),
        (410, "", "a.deny:3"),
    ]


def test_a_verdict_names_the_file_of_its_rule() -> None:
    builder = DenyTableBuilder()
    for name, text in (("a.deny", R1), ("empty.deny", ""), ("b.deny", R2)):
        builder.open_file(name)
        if (rule := parse_rule(f"/ipfs/{text}" if text else "")) is not None:
            builder.add(rule, 7)
    table = builder.build()
    found = [table.find(parse_cid(text), "", is_root=True) for text in (R1, R2)]
    assert [verdict.where for verdict in found if verdict] == ["a.deny:7", "b.deny:7"]


def test_a_rule_of_another_file_takes_one_back() -> None:
    table = table_of(f"/ipfs/{R1}", f"!/ipfs/{R1}")
    assert (len(table), is_blocked(table, f"/ipfs/{R1}")) == (2, False)


def test_an_empty_table_blocks_nothing() -> None:
    assert not is_blocked(DenyTable(), f"/ipfs/{R1}")


@pytest.mark.property
@given(st.sets(st.integers(0, 300)), st.sets(st.integers(0, 300)))
def test_exactly_the_roots_that_are_listed_are_blocked(listed: set[int], asked: set[int]) -> None:
    cids = {n: Cid(1, 0x55, b"\x12\x20" + n.to_bytes(32, "big")) for n in listed | asked}
    table = table_of(*(f"/ipfs/{cids[number]}" for number in listed))
    blocked = {n for n in asked if table.find(cids[n], "", is_root=True) is not None}
    assert blocked == listed & asked
