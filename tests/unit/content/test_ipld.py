import pytest
from hypothesis import given

from gateway.content.cid import Cid, parse_cid
from gateway.content.ipld import Followed, Value, follow, links_of, visit_values
from gateway.errors import NoSuchLink
from tests.refusal import check_refused
from tests.strategies import values

LINK, OTHER = parse_cid("bafkqaaa"), parse_cid("bafkqaaia")
DOCUMENT = parse_cid("bafyqaaa")
VALUE: Value = {
    "link": LINK,
    "list": [1, [OTHER, "x"], {"": LINK}],
    "map": {"a/b": LINK, "": None, "0": OTHER},
}


def links_in(value: Value) -> list[Cid]:
    """Find links the short way."""
    if isinstance(value, Cid):
        return [value]
    held = list(value.values()) if isinstance(value, dict) else value
    return [link for each in held for link in links_in(each)] if isinstance(held, list) else []


@given(values)
def test_links_are_found_in_order(value: Value) -> None:
    assert list(links_of(value)) == links_in(value)


def test_visits_tell_how_deep_a_value_stands() -> None:
    found = [(visit.depth, visit.value) for visit in visit_values([1, [], {"a": [2]}, 3])]

    assert found[1:] == [(1, 1), (1, []), (1, {"a": [2]}), (2, [2]), (3, 2), (1, 3)]


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        pytest.param(("link",), Followed(LINK, 1), id="key"),
        pytest.param(("link", "more", "yet"), Followed(LINK, 1), id="only-to-the-first-link"),
        pytest.param(("list", "1", "0"), Followed(OTHER, 3), id="indexes"),
        pytest.param(("list", "2", ""), Followed(LINK, 3), id="empty-key"),
        pytest.param(("map", "a/b"), Followed(LINK, 2), id="slash-in-a-key"),
        pytest.param(("map", "0"), Followed(OTHER, 2), id="number-as-a-key"),
        pytest.param(("map",), Followed(None, 1), id="ends-at-a-map"),
        pytest.param(("list", "1", "1"), Followed(None, 3), id="ends-at-a-text"),
        pytest.param(("map", ""), Followed(None, 2), id="ends-at-null"),
        pytest.param((), Followed(None, 0), id="nowhere"),
    ],
)
def test_path_leads_to_the_first_link(segments: tuple[str, ...], expected: Followed) -> None:
    assert follow(VALUE, segments, DOCUMENT) == expected


@pytest.mark.parametrize(
    ("segments", "name"),
    [
        pytest.param(("nope",), "nope", id="no-such-key"),
        pytest.param(("list", "3"), "3", id="past-the-end"),
        pytest.param(("list", "-1"), "-1", id="negative"),
        pytest.param(("list", "01"), "01", id="leading-zero"),
        pytest.param(("list", "1e0"), "1e0", id="exponent"),
        pytest.param(("list", "\u0661"), "\u0661", id="another-script"),
        pytest.param(("list", "9" * 5000), "9" * 5000, id="very-long"),
        pytest.param(("list", ""), "", id="empty-index"),
        pytest.param(("list", "1", "1", "0"), "0", id="below-a-text"),
        pytest.param(("map", "", "x"), "x", id="below-null"),
    ],
)
def test_path_to_nothing_is_proven_absent(segments: tuple[str, ...], name: str) -> None:
    check_refused(
        NoSuchLink, f'no link named "{name}" under {DOCUMENT}', follow, VALUE, segments, DOCUMENT
    )


def test_link_that_is_the_whole_document_has_no_children() -> None:
    with pytest.raises(NoSuchLink, match="no link named"):
        follow(LINK, ("0",), DOCUMENT)
