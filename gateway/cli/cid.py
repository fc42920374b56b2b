"""`cid`: the parts of a CID and its text forms."""

import base64
from collections.abc import Iterator
from typing import Annotated

import typer

from gateway.cli.terminal import examples, say, told_errors
from gateway.content.cid import CODEC_NAMES, DAG_PB, Cid, parse_cid
from gateway.content.multibase import encode_base32, encode_base36, encode_base58
from gateway.content.multihash import HASHES, SHA2_256

MAX_LABEL_CHARACTERS = 63  # RFC 1035, 2.3.4: what one label of a host name holds


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "cid",
        epilog=examples(
            "ipfs-gateway cid bafkqaaa",
            "ipfs-gateway cid QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn",
        ),
    )(explain_cid)


def explain_cid(text: Annotated[str, typer.Argument(help="A CID in any text form.")]) -> None:
    """Print the parts of a CID and all its text forms."""
    with told_errors():
        cid = parse_cid(text)
    for name, value in describe_cid(cid):
        say(f"{name:<16} {value}")  # no table: a CID that is cut or folded cannot be copied


def describe_cid(cid: Cid) -> Iterator[tuple[str, str]]:
    """Yield the facts about a CID, each with its name."""
    yield "version", str(cid.version)
    yield "codec", f"{CODEC_NAMES.get(cid.codec, 'unknown')} (0x{cid.codec:x})"
    yield "hash", _describe_hash(cid)
    yield "digest", cid.digest.hex()
    yield "multihash", cid.multihash.hex()
    if _has_v0(cid):
        yield "CIDv0", encode_base58(cid.multihash)
    data = cid.as_v1().encode()
    yield "CIDv1 base32", "b" + encode_base32(data)
    yield "CIDv1 base36", "k" + encode_base36(data)
    yield "CIDv1 base58btc", "z" + encode_base58(data)
    yield "CIDv1 base16", "f" + data.hex()
    yield "CIDv1 base64url", "u" + base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
    yield "subdomain", _describe_label(data)


def _describe_hash(cid: Cid) -> str:
    if cid.is_identity:
        return f"identity (0x0), the {len(cid.digest)} bytes of the content itself"
    function = HASHES[cid.hash_code]
    return f"{function.name} (0x{function.code:x}), {function.size} bytes"


def _has_v0(cid: Cid) -> bool:
    return cid.codec == DAG_PB and cid.hash_code == SHA2_256


def _describe_label(data: bytes) -> str:
    label = "b" + encode_base32(data)
    if len(label) > MAX_LABEL_CHARACTERS:
        label = "k" + encode_base36(data)
    if len(label) > MAX_LABEL_CHARACTERS:
        return f"none: {len(label)} characters are more than the {MAX_LABEL_CHARACTERS} of a label"
    return f"{label} ({len(label)} of {MAX_LABEL_CHARACTERS} characters)"
