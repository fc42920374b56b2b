"""Any text is a list of rules or refused, line by line, and its rules can be asked."""

from gateway.content.cid import parse_cid
from gateway.content.deny_rules import BadDenylist, parse_rule, read_header
from gateway.content.deny_table import DenyTableBuilder

ROOT = parse_cid("QmecDgNqCRirkc3Cjz9eoRBNwXGckJ9WvTdmY16HP88768")


def check(data: bytes) -> None:
    """Read `data` as a denylist, and look something up."""
    try:
        header = read_header(data)
    except BadDenylist:
        return
    assert header.size_bytes <= len(data)
    builder = DenyTableBuilder()
    builder.open_file("a")
    lines = data[header.size_bytes :].decode("utf-8", "replace").split("\n")
    for number, line in enumerate(lines):
        try:
            rule = parse_rule(line, header.hints)
        except BadDenylist:
            continue
        if rule is not None:
            builder.add(rule, number)
    table = builder.build()
    for path in ("", "a"):
        table.find(ROOT, path, is_root=True)
        table.find("a.example", path, is_root=False)


if __name__ == "__main__":
    from harness import fuzz  # type: ignore[import-not-found]  # beside this file

    fuzz(check)
