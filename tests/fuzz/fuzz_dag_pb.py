"""Any block is a dag-pb node or a GatewayError, and a node means the same after a round trip."""

from gateway.content.dag_pb import PBNode, decode_node, encode_node
from gateway.errors import GatewayError


def check(data: bytes) -> None:
    """Read `data` as a node, and each of its links alone."""
    try:
        node = decode_node(data)
    except GatewayError:
        return
    canonical = encode_node(node)
    assert len(canonical) == len(data)
    assert decode_node(canonical) == node
    for link in node.links:
        assert link.cid.encode() == link.hash
        alone = PBNode((link,), None)
        assert decode_node(encode_node(alone)) == alone


if __name__ == "__main__":
    from harness import fuzz  # type: ignore[import-not-found]  # beside this file

    fuzz(check)
