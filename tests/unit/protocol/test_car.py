import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.walk import Scope
from gateway.errors import BadRequest
from gateway.protocol.car import DEFAULT_CAR, CarParams, parse_car_params, parse_entity_bytes
from tests.refusal import check_refused


def test_default_car_is_all_blocks_once() -> None:
    assert parse_car_params({}, {}) == DEFAULT_CAR == CarParams(Scope.ALL, 0, None, dups=False)


@pytest.mark.parametrize(
    ("query", "accept", "expected"),
    [
        pytest.param({"dag-scope": "block"}, {}, CarParams(Scope.BLOCK), id="block"),
        pytest.param({"dag-scope": "entity"}, {}, CarParams(Scope.ENTITY), id="entity"),
        pytest.param({"dag-scope": "all"}, {}, CarParams(Scope.ALL), id="all"),
        pytest.param({"car-dups": "y"}, {}, CarParams(dups=True), id="dups"),
        pytest.param({}, {"dups": "y"}, CarParams(dups=True), id="dups-in-accept"),
        pytest.param({"car-dups": "n"}, {"dups": "y"}, CarParams(), id="url-wins"),
        pytest.param({"car-order": "unk", "car-version": "1"}, {}, CarParams(), id="order-unk"),
        pytest.param({}, {"order": "dfs", "version": "1"}, CarParams(), id="order-dfs"),
        pytest.param(
            {"entity-bytes": "5:9"}, {}, CarParams(Scope.ENTITY, 5, 10), id="bytes-imply-entity"
        ),
        pytest.param(
            {"entity-bytes": "5:9", "dag-scope": "entity"},
            {},
            CarParams(Scope.ENTITY, 5, 10),
            id="bytes-and-entity",
        ),
        pytest.param(
            {"entity-bytes": "5:9", "dag-scope": "block"},
            {},
            CarParams(Scope.BLOCK),
            id="bytes-mean-nothing-to-block",
        ),
    ],
)
def test_parse_car_params(
    query: dict[str, str], accept: dict[str, str], expected: CarParams
) -> None:
    assert parse_car_params(query, accept) == expected


@pytest.mark.parametrize(
    ("query", "accept", "name"),
    [
        pytest.param({"dag-scope": "foo"}, {}, "dag-scope: 'foo'", id="scope"),
        pytest.param({"dag-scope": ""}, {}, "dag-scope: ''", id="empty-scope"),
        pytest.param({"car-order": "x"}, {}, "car-order: 'x'", id="order"),
        pytest.param({}, {"order": "bfs"}, "car-order: 'bfs'", id="order-in-accept"),
        pytest.param({"car-dups": "maybe"}, {}, "car-dups: 'maybe'", id="dups"),
        pytest.param({"car-version": "2"}, {}, "car-version: '2'", id="version"),
        pytest.param({}, {"version": "2"}, "car-version: '2'", id="version-in-accept"),
        pytest.param({"entity-bytes": "a:b", "dag-scope": "all"}, {}, "entity-bytes", id="bytes"),
    ],
)
def test_parse_car_params_refuses(query: dict[str, str], accept: dict[str, str], name: str) -> None:
    check_refused(BadRequest, name, parse_car_params, query, accept)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("0:*", (0, None), id="all"),
        pytest.param("512:*", (512, None), id="from"),
        pytest.param("512:1023", (512, 1024), id="inside"),
        pytest.param("0:0", (0, 1), id="first-byte"),
        pytest.param("-5:*", (-5, None), id="last-five"),
        pytest.param("512:-256", (512, -255), id="to-before-the-end"),
        pytest.param("-9999:-3", (-9999, -2), id="more-than-there-is"),
        pytest.param("0:-1", (0, None), id="to-the-last-byte"),
        pytest.param("-1:-1", (-1, None), id="last-byte"),
        pytest.param("9223372036854775807:*", (2**63 - 1, None), id="largest"),
    ],
)
def test_parse_entity_bytes(text: str, expected: tuple[int, int | None]) -> None:
    assert parse_entity_bytes(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("5:1", id="backwards"),
        pytest.param("-1:-5", id="backwards-from-the-end"),
        pytest.param("-1:5", id="from-the-end-to-the-start"),
        pytest.param("9223372036854775808:*", id="beyond-63-bits"),
        pytest.param("0:9223372036854775808", id="end-beyond-63-bits"),
        pytest.param("-9223372036854775808:*", id="below-63-bits"),
        pytest.param("0:" + "9" * 5000, id="5000-digits"),
        pytest.param("0:*:", id="two-colons"),
        pytest.param("*:0", id="star-first"),
        pytest.param("a:b", id="letters"),
        pytest.param("\u0663:\u0664", id="arabic-digits"),
        pytest.param("+1:2", id="plus"),
        pytest.param("1_0:2_0", id="underscores"),
        pytest.param(" 1:2", id="space"),
        pytest.param("1:2\n", id="line-end"),
        pytest.param("1", id="no-colon"),
        pytest.param("1:", id="no-end"),
    ],
)
def test_parse_entity_bytes_refuses(text: str) -> None:
    check_refused(BadRequest, "entity-bytes", parse_entity_bytes, text)


@pytest.mark.property
@given(st.binary(min_size=1, max_size=50), st.integers(-60, 60), st.integers(-60, 60))
def test_entity_bytes_select_what_the_specification_says(
    data: bytes, first: int, last: int
) -> None:
    """The model counts single bytes: from `first` to `last`, negative ones from the end."""
    size = len(data)
    try:
        start, stop = parse_entity_bytes(f"{first}:{last}")
    except BadRequest:
        assert first > last >= 0 or 0 > first > last or first < 0 <= last
        return
    low = first if first >= 0 else max(0, size + first)
    high = last if last >= 0 else size + last
    assert data[start:stop] == bytes(data[i] for i in range(size) if low <= i <= high)
