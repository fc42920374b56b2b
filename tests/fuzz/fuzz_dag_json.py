"""Any bytes are a value within the limits or a BadBlock; every link in it can be followed to."""

from gateway.content.cid import Cid, decode_cid, parse_cid
from gateway.content.dag_json import decode, find_links
from gateway.content.ipld import MAX_DEPTH, MAX_ITEMS, Followed, follow, visit_values
from gateway.errors import BadBlock

DOCUMENT = parse_cid("bafyqaaa")


def check(data: bytes) -> None:
    """Decode `data` and look at what is in it."""
    try:
        value = decode(data)
    except BadBlock:
        return
    visits = list(visit_values(value))
    assert len(visits) <= MAX_ITEMS
    assert max(visit.depth for visit in visits) <= MAX_DEPTH
    links = [held for held, _ in visits if isinstance(held, Cid)]
    assert list(find_links(data)) == links
    for link in links:
        assert decode_cid(link.encode())[0] == link
    named = value.items() if isinstance(value, dict) else ()
    numbered = enumerate(value) if isinstance(value, list) else ()
    for name, held in (*named, *((str(index), held) for index, held in numbered)):
        link_or_none = held if isinstance(held, Cid) else None
        assert follow(value, (name,), DOCUMENT) == Followed(link_or_none, 1)


if __name__ == "__main__":
    from harness import fuzz  # type: ignore[import-not-found]  # beside this file

    fuzz(check)
