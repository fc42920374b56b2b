import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.cid import Cid, parse_cid
from gateway.content.dag_json import decode, find_links
from gateway.content.ipld import MAX_DEPTH, MAX_ITEMS, Value
from gateway.errors import BadBlock
from tests.fakes.car_data import read_car
from tests.fakes.documents import encode_json
from tests.refusal import check_refused
from tests.strategies import values

EMPTY = parse_cid("bafkqaaa")


@given(values)
def test_what_was_encoded_is_decoded(value: Value) -> None:
    assert decode(encode_json(value)) == value


@given(st.text(max_size=40) | st.text('{}[]"/:,01 ', max_size=20))
def test_any_text_is_a_value_or_a_bad_block(text: str) -> None:
    try:
        decode(text.encode("utf-8", "surrogatepass"))
    except BadBlock:
        return


def test_link_of_the_conformance_fixture_is_found() -> None:
    car = read_car("gateway-conformance/path_gateway_dag/dag-json-traversal.car")
    (link,) = find_links(car.blocks[car.root.multihash].data)

    assert str(link) == "baguqeeraxpdqyfizawpb7zl5gnpg7jw3myuynb42ngzmeo7xn5kmm5pabt6q"


@pytest.mark.parametrize(
    ("text", "links"),
    [
        pytest.param('{"/":"bafkqaaa"}', (EMPTY,), id="link"),
        pytest.param('[{"/":"bafkqaaa"},{"/":"bafkqaaa"}]', (EMPTY, EMPTY), id="twice"),
        pytest.param('{"/":{"bytes":"AQID"}}', (), id="bytes"),
        pytest.param('{"/":"bafkqaaa","a":1}', (), id="two-keys"),
        pytest.param('{"/":{"/":"bafkqaaa"}}', (EMPTY,), id="link-in-a-slash"),
        pytest.param('"bafkqaaa"', (), id="text"),
        pytest.param(" 1.5e300 ", (), id="number"),
        pytest.param("9" * 4300, (), id="long-number"),
        pytest.param("[null,true,false,-1]", (), id="values"),
    ],
)
def test_block_has_links(text: str, links: tuple[Cid, ...]) -> None:
    assert find_links(text.encode()) == links


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param('{"/":{"bytes":"AQID"}}', b"\1\2\3", id="bytes"),
        pytest.param('{"/":{"bytes":"AQI"}}', b"\1\2", id="bytes-without-padding"),
        pytest.param('{"/":{"bytes":""}}', b"", id="no-bytes"),
        pytest.param('{"/":{"bytes":"AQID","a":1}}', {"/": {"bytes": "AQID", "a": 1}}, id="more"),
        pytest.param('{"/":{"bytes":1}}', {"/": {"bytes": 1}}, id="bytes-that-are-none"),
        pytest.param('{"/":{}}', {"/": {}}, id="map-in-a-slash"),
        pytest.param('{"a":{"bytes":"AQID"}}', {"a": {"bytes": "AQID"}}, id="another-key"),
        pytest.param("18446744073709551616", 2**64, id="more-than-64-bits"),
        pytest.param("[1,1.0,-0.0]", [1, 1.0, -0.0], id="numbers"),
        pytest.param('"\\ud83d\\ude80\\u0000"', "\U0001f680\0", id="escapes"),
        pytest.param('"日本"', "日本", id="utf8"),
        pytest.param('["' + ",:" * MAX_ITEMS + '\\""]', [",:" * MAX_ITEMS + '"'], id="marks"),
        pytest.param('{"\\u00e9":{"a":"\\u00e9"}}', {"é": {"a": "é"}}, id="escaped-key"),
    ],
)
def test_text_has_its_value(text: str, value: Value) -> None:
    assert decode(text.encode()) == value


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "not JSON", id="nothing"),
        pytest.param(b"{", "not JSON", id="cut-short"),
        pytest.param(b"{} {}", "not JSON", id="two-items"),
        pytest.param(b'"\xff"', "not JSON", id="not-utf8"),
        pytest.param('"a"'.encode("utf-16"), "not JSON", id="utf16"),
        pytest.param(b"[NaN]", "the number NaN", id="nan"),
        pytest.param(b"-Infinity", "the number -Infinity", id="infinity"),
        pytest.param(b'{"/":"bafk"}', "a link: invalid CID", id="no-cid"),
        pytest.param(b"1e999", "the number inf", id="number-without-end"),
        pytest.param(b"9" * 5000, "not JSON: Exceeds the limit", id="very-long-number"),
        pytest.param(b"\xef\xbb\xbf1", "not JSON", id="byte-order-mark"),
        pytest.param(b'{"a":1,"a":1}', "a key stands twice", id="key-twice"),
        pytest.param(b'{"/":1}', "neither a link nor bytes", id="number-in-a-slash"),
        pytest.param(b'{"/":["x"]}', "neither a link nor bytes", id="array-in-a-slash"),
        pytest.param(b'{"/":{"bytes":"!"}}', "not base64", id="no-base64"),
        pytest.param(b'{"/":{"bytes":"A"}}', "not base64", id="base64-cut-short"),
        pytest.param(b'{"/":{"bytes":"AQ=="}}', "not base64", id="padding"),
        pytest.param(b'{"/":{"bytes":"\xc3\xa9"}}', "not base64", id="not-ascii"),
        pytest.param(b'"\\ud800"', "half of a surrogate", id="lone-surrogate"),
        pytest.param(b'{"\\udc00":1}', "half of a surrogate", id="lone-surrogate-as-key"),
        pytest.param(
            b"[" * MAX_DEPTH + b'"\\ud800"' + b"]" * MAX_DEPTH,
            "half of a surrogate",
            id="deep-lone-surrogate",
        ),
        pytest.param(b"[" * 200 + b"]" * 200, "more than 128 levels", id="deep"),
        pytest.param(b"[" * 90_000, "more than 128 levels", id="very-deep"),
        pytest.param(b"[" * 200_000, "more than 100000 items", id="deep-and-many"),
    ],
)
def test_malformed_block_is_refused(data: bytes, reason: str) -> None:
    check_refused(BadBlock, reason, decode, data)


def test_depth_is_limited() -> None:
    assert find_links(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) == ()
    with pytest.raises(BadBlock, match="more than 128 levels deep"):
        find_links(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"[" + b"1," * MAX_ITEMS + b"1]", id="numbers"),
        pytest.param(b"[" + b"{}," * MAX_ITEMS + b"1]", id="maps"),
        pytest.param(b"[" + b'{"a":[1,1]},' * (MAX_ITEMS // 4) + b"1]", id="keys"),
    ],
)
def test_items_are_limited(data: bytes) -> None:
    check_refused(BadBlock, "more than 100000 items", decode, data)
