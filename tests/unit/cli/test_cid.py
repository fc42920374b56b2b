"""A CID is explained, a bad one refused with the reason."""

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.cli.cid import describe_cid
from gateway.content.cid import LIBP2P_KEY, RAW, Cid, make_cid, parse_cid
from gateway.content.multihash import IDENTITY, SHA2_256, encode_multihash

V0 = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"
V1 = "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354"
SHA2_512 = 0x13
KEY = bytes.fromhex("0801122011cafe") + bytes(29)  # an Ed25519 key, as libp2p writes it
NAME = "k51qzi5uqu5dgmjybfk64ugc5rt8vt455jxlez7yzuzl7v939njw2o1rntl728"
DIGEST = "59948439065f29619ef41280cbb932be52c56d99c5966b65e0111239f098bbef"


def facts(text: str) -> dict[str, str]:
    return dict(describe_cid(parse_cid(text)))


def test_both_versions_are_told_of_each() -> None:
    assert facts(V0) == facts(V1) | {"version": "0"}
    assert facts(V1)["CIDv0"] == V0
    assert facts(V0)["CIDv1 base32"] == V1


def test_parts_are_told_by_name_and_number() -> None:
    assert facts(V1) == facts(V1) | {
        "version": "1",
        "codec": "dag-pb (0x70)",
        "hash": "sha2-256 (0x12), 32 bytes",
        "digest": DIGEST,
        "multihash": encode_multihash(SHA2_256, bytes.fromhex(DIGEST)).hex(),
    }


@pytest.mark.parametrize(
    "form",
    ["CIDv0", "CIDv1 base32", "CIDv1 base36", "CIDv1 base58btc", "CIDv1 base16", "CIDv1 base64url"],
)
def test_every_text_form_names_the_same_block(form: str) -> None:
    assert parse_cid(facts(V0)[form]).multihash == parse_cid(V0).multihash


@pytest.mark.parametrize(
    ("cid", "label"),
    [
        pytest.param(parse_cid(V0), f"{V1} (59 of 63 characters)", id="base32"),
        pytest.param(
            make_cid(LIBP2P_KEY, IDENTITY, KEY), f"{NAME} (62 of 63 characters)", id="key"
        ),
        pytest.param(
            make_cid(RAW, SHA2_512, bytes(64)),
            "none: 105 characters are more than the 63 of a label",
            id="none",
        ),
    ],
)
def test_the_label_is_the_shortest_that_dns_allows(cid: Cid, label: str) -> None:
    assert dict(describe_cid(cid))["subdomain"] == label


def test_identity_has_its_content_for_a_digest() -> None:
    assert facts("bafkqabtimvwgy3yk")["hash"] == "identity (0x0), the 6 bytes of the content itself"
    assert facts("bafkqabtimvwgy3yk")["digest"] == b"hello\n".hex()


def test_the_command_prints_one_fact_a_line() -> None:
    result = CliRunner().invoke(app, ["cid", V0])

    assert result.exit_code == 0
    assert f"digest           {DIGEST}\n" in result.stdout


@pytest.mark.parametrize("text", ["nope", "", "Qm", V0[:-1], "bafy" + "a" * 300])
def test_a_bad_cid_is_refused(text: str) -> None:
    result = CliRunner().invoke(app, ["cid", text])

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: invalid CID: ")
