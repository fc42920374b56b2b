"""A parser for streams of JSON values, one a line (NDJSON), from untrusted servers. Pure."""

import json
from collections.abc import Iterator


def parse_json_lines(data: bytes) -> Iterator[object]:
    """Yield the values; lines that are not JSON are skipped."""
    for line in data.splitlines():
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        yield value
