"""Any raw path is a ContentPath or a GatewayError, and what it says when escaped is the same."""

from gateway.content.path import MAX_PATH_BYTES, MAX_SEGMENTS, AnyPath, escape_path, parse_path
from gateway.errors import GatewayError


def read(raw: bytes) -> AnyPath | str:
    """Return the path, or what is wrong with it."""
    try:
        return parse_path(raw)
    except GatewayError as exc:
        return str(exc)


def check(data: bytes) -> None:
    """Read `data` as a path, as it is and below a root that is valid."""
    for raw in (data, b"/ipfs/bafkqaaa/" + data):
        path = read(raw)
        if isinstance(path, str):
            assert path.isprintable()
            continue
        assert len(path.segments) <= MAX_SEGMENTS
        assert not {"", ".", ".."} & set(path.segments)
        text = "".join(path.segments)
        assert "\0" not in text
        escaped = escape_path(str(path)).encode("ascii")
        if "/" not in text and len(escaped) <= MAX_PATH_BYTES:
            assert parse_path(escaped) == path


if __name__ == "__main__":
    from harness import fuzz  # type: ignore[import-not-found]  # beside this file

    fuzz(check)
