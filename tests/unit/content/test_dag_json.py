import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.cid import Cid, parse_cid
from gateway.content.dag_json import MAX_DEPTH, MAX_ITEMS, find_links
from gateway.errors import BadBlock
from tests.fakes.car_data import read_car
from tests.strategies import cids

EMPTY = parse_cid("bafkqaaa")


@given(st.lists(cids(), max_size=5))
def test_links_are_found_in_order(links: list[Cid]) -> None:
    value = {f"z{number}": [{"x": {"/": str(link)}}, 1] for number, link in enumerate(links)}

    assert find_links(json.dumps(value).encode()) == tuple(links)


@given(st.text(max_size=40) | st.text('{}[]"/:,01 ', max_size=20))
def test_any_text_has_links_or_is_a_bad_block(text: str) -> None:
    try:
        find_links(text.encode("utf-8", "surrogatepass"))
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
        pytest.param("9" * 5000, (), id="long-number"),
        pytest.param("[null,true,false,-1]", (), id="values"),
    ],
)
def test_block_has_links(text: str, links: tuple[Cid, ...]) -> None:
    assert find_links(text.encode()) == links


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
        pytest.param(b"[" * 200 + b"]" * 200, "more than 128 levels", id="deep"),
        pytest.param(b"[" * 200_000, "more than 128 levels", id="very-deep"),
    ],
)
def test_malformed_block_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(BadBlock, match=reason):
        find_links(data)


def test_depth_is_limited() -> None:
    assert find_links(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) == ()
    with pytest.raises(BadBlock, match="more than 128 levels deep"):
        find_links(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))


def test_items_are_limited() -> None:
    with pytest.raises(BadBlock, match="more than 100000 items"):
        find_links(b"[" + b"1," * MAX_ITEMS + b"1]")
