import re

from gateway.protocol.media_types import TYPES


def test_every_type_is_a_valid_field_value() -> None:
    valid = re.compile(rb"[a-z]+/[a-z0-9.+-]+(; charset=utf-8)?")
    assert all(valid.fullmatch(value) for value in TYPES.values())


def test_extensions_are_lower_case_without_a_dot() -> None:
    assert all(re.fullmatch(r"[a-z0-9]+", extension) for extension in TYPES)


def test_text_says_its_encoding_but_html_does_not() -> None:
    assert TYPES["html"] == TYPES["htm"] == b"text/html"
    text = {value for value in TYPES.values() if value.startswith(b"text/")} - {b"text/html"}
    assert all(value.endswith(b"; charset=utf-8") for value in text)
