"""What settings look like in TOML, and words for what was found instead."""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum


class Shape(StrEnum):
    """What a setting looks like in TOML."""

    TEXT = "text"
    WHOLE = "a whole number"
    NUMBER = "a number"
    FLAG = "true or false"
    TEXTS = "a list of texts"
    TABLE = "a table of texts"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_texts(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)


_CHECKS: Mapping[Shape, Callable[[object], bool]] = {
    Shape.TEXT: lambda value: isinstance(value, str),
    Shape.WHOLE: lambda value: _is_number(value) and isinstance(value, int),
    Shape.NUMBER: _is_number,
    Shape.FLAG: lambda value: isinstance(value, bool),
    Shape.TEXTS: lambda value: isinstance(value, list) and _is_texts(value),
    Shape.TABLE: lambda value: isinstance(value, Mapping) and _is_texts(value.values()),
}


def check_shape(shape: Shape, value: object) -> None:
    """Refuse a value of another shape, and text with control characters.

    Raises:
        ValueError: with the reason.
    """
    if not _CHECKS[shape](value):
        raise ValueError(f"must be {shape}, not {describe(value)}")
    if not all(text.isprintable() for text in _texts_in(value)):
        raise ValueError("has a line break or another control character in it")


def _texts_in(value: object) -> Iterable[str]:
    if isinstance(value, Mapping):
        return (*value.keys(), *value.values())
    if isinstance(value, list):
        return value
    return (value,) if isinstance(value, str) else ()


def describe(value: object) -> str:
    """Return words for a value of a wrong shape."""
    if isinstance(value, bool):
        return str(value).lower()
    if _is_number(value):
        return f"the number {value}"
    if isinstance(value, list | Mapping):
        items = list(value) if isinstance(value, list) else list(value.values())
        kind = "a list" if isinstance(value, list) else "a table"
        strange = [item for item in items if not isinstance(item, str)]
        return f"{kind} with {describe(strange[0])} in it" if strange else kind
    return "text" if isinstance(value, str) else f"a {type(value).__name__}"
