"""Any bytes have links or are a BadBlock, and every link is one that we could verify."""

from gateway.content.cid import decode_cid
from gateway.content.dag_json import find_links
from gateway.errors import BadBlock


def check(data: bytes) -> None:
    """Look for the links in `data`."""
    try:
        links = find_links(data)
    except BadBlock:
        return
    for link in links:
        assert decode_cid(link.encode())[0] == link


if __name__ == "__main__":
    from harness import fuzz  # type: ignore[import-not-found]  # beside this file

    fuzz(check)
