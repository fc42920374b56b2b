"""What was found instead of a setting is told in words."""

import datetime as dt

import pytest

from gateway.settings.shapes import Shape, check_shape, describe
from tests.refusal import check_refused


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("x", "text"),
        (True, "true"),
        (7, "the number 7"),
        (0.5, "the number 0.5"),
        ([], "a list"),
        (["x"], "a list"),
        (["x", 1], "a list with the number 1 in it"),
        ({"a": []}, "a table with a list in it"),
        ({}, "a table"),
        (dt.date(2026, 1, 1), "a date"),
    ],
)
def test_describe_says_what_is_there(value: object, words: str) -> None:
    assert describe(value) == words


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        (Shape.TEXT, ""),
        (Shape.WHOLE, 0),
        (Shape.NUMBER, 0),
        (Shape.NUMBER, 0.5),
        (Shape.FLAG, False),
        (Shape.TEXTS, ["a"]),
        (Shape.TABLE, {"a": "b"}),
    ],
)
def test_the_right_shape_passes(shape: Shape, value: object) -> None:
    check_shape(shape, value)


@pytest.mark.parametrize(
    ("shape", "value", "reason"),
    [
        (Shape.WHOLE, True, "must be a whole number, not true"),
        (Shape.WHOLE, 1.0, "must be a whole number, not the number 1.0"),
        (Shape.FLAG, 1, "must be true or false, not the number 1"),
        (Shape.TEXTS, "a", "must be a list of texts, not text"),
        (Shape.TEXT, "a\x1b[31m", "control character"),
        (Shape.TEXTS, ["a\n"], "control character"),
        (Shape.TABLE, {"a\r": "b"}, "control character"),
    ],
)
def test_another_shape_is_refused(shape: Shape, value: object, reason: str) -> None:
    check_refused(ValueError, reason, check_shape, shape, value)
