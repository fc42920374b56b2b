import pytest

from gateway.errors import BadRequest
from gateway.protocol.formats import ResponseFormat, choose_format, media_type
from tests.refusal import check_refused

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"
RAW = "application/vnd.ipld.raw"
CAR = "application/vnd.ipld.car"


@pytest.mark.parametrize(
    ("parameter", "accept", "expected"),
    [
        pytest.param(None, "", ("unixfs", False), id="nothing"),
        pytest.param(None, "*/*", ("unixfs", False), id="anything"),
        pytest.param(None, BROWSER, ("unixfs", False), id="browser"),
        pytest.param("raw", "", ("raw", False), id="parameter"),
        pytest.param("car", RAW, ("car", False), id="parameter-over-accept"),
        pytest.param("raw", "application/vnd.ipld.zip", ("raw", False), id="over-unknown-accept"),
        pytest.param("zip", "", ("unixfs", False), id="unknown-parameter"),
        pytest.param("../../x", RAW, ("raw", True), id="unknown-parameter-then-accept"),
        pytest.param("", CAR, ("car", True), id="empty-parameter-then-accept"),
        pytest.param("RAW", "", ("unixfs", False), id="parameters-have-case"),
        pytest.param(None, RAW, ("raw", True), id="accept"),
        pytest.param(None, "Application/VND.ipld.RAW ; q=0", ("raw", True), id="q-and-case"),
        pytest.param(None, f"text/html, {CAR};q=0.1, {RAW}", ("car", True), id="first-defined"),
        pytest.param(None, "application/jsonx", ("unixfs", False), id="only-a-longer-name"),
        pytest.param(None, f"application/jsonx, {RAW}", ("raw", True), id="longer-name"),
        pytest.param(None, ",".join(["a/b"] * 999 + [RAW]), ("raw", True), id="long-list"),
        pytest.param(
            None, "application/json, text/plain, */*", ("unixfs", False), id="axios-default"
        ),
        pytest.param(None, "application/cbor;q=0.9,*/*", ("unixfs", False), id="cbor-or-anything"),
        pytest.param("json", f"{RAW}", ("json", False), id="json-over-accept"),
    ],
)
def test_choose_format(parameter: str | None, accept: str, expected: tuple[str, bool]) -> None:
    chosen = choose_format(parameter, accept)
    assert (chosen.format.value, chosen.is_from_accept) == expected


@pytest.mark.parametrize(
    ("parameter", "accept", "expected"),
    [
        pytest.param(
            None,
            f'{CAR}; version=1; Order="dfs";dups=y; dups=n',
            {"version": "1", "order": "dfs", "dups": "y"},
            id="accept",
        ),
        pytest.param("car", f"{CAR};dups=y", {"dups": "y"}, id="both-say-car"),
        pytest.param("car", f"{RAW};dups=y", {}, id="accept-says-raw"),
        pytest.param("car", "", {}, id="only-the-parameter"),
        pytest.param(None, CAR + ";" * 99 + "dups=y", {}, id="after-too-many"),
    ],
)
def test_choose_format_keeps_the_parameters_of_the_media_type(
    parameter: str | None, accept: str, expected: dict[str, str]
) -> None:
    chosen = choose_format(parameter, accept)
    assert chosen.format is ResponseFormat.CAR
    assert {name: value for name, value in chosen.parameters.items() if name} == expected


FORMATS = {
    "raw": RAW,
    "car": CAR,
    "tar": "application/x-tar",
    "dag-json": "application/vnd.ipld.dag-json",
    "dag-cbor": "application/vnd.ipld.dag-cbor",
    "json": "application/json",
    "cbor": "application/cbor",
    "ipns-record": "application/vnd.ipfs.ipns-record",
}


@pytest.mark.parametrize(("name", "type_"), FORMATS.items(), ids=FORMATS)
def test_every_format_is_known_by_name_and_by_type(name: str, type_: str) -> None:
    named, typed = choose_format(name, ""), choose_format(None, type_)

    assert (named.format, named.is_from_accept) == (name, False)
    assert (typed.format, typed.is_from_accept) == (name, True)
    assert media_type(named.format) == type_.encode()


@pytest.mark.parametrize("accept", ["application/vnd.ipld.zip", "text/html, application/vnd.ipfs."])
def test_choose_format_refuses_vendor_types_that_nobody_defined(accept: str) -> None:
    check_refused(BadRequest, "Accept: unknown type 'application/vnd", choose_format, None, accept)
