"""The parameters of a CAR request.

https://specs.ipfs.tech/http-gateways/trustless-gateway/ with IPIP-402 (`dag-scope`,
`entity-bytes`), IPIP-412 (`order`, `dups`) and IPIP-523 (the URL wins over `Accept`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.content.walk import Scope
from gateway.errors import BadRequest

_BYTES: Final = re.compile(r"(-?[0-9]{1,19}):(-?[0-9]{1,19}|\*)", re.ASCII)
_MAX_OFFSET: Final = 2**63 - 1  # UnixFS sizes are at most this


@dataclass(frozen=True, slots=True)
class CarParams:
    """The blocks that a CAR request selects, and whether it wants duplicates.

    The order is always depth first, which is a correct answer to `order=unk` too.
    """

    scope: Scope = Scope.ALL
    start: int = 0
    """First byte wanted of a file, as in a Python slice: negative counts from the end."""
    stop: int | None = None
    """One past the last byte wanted, as in a Python slice: negative counts from the end, None is
    the end. `entity-bytes=0:-1` is therefore `start=0, stop=None`."""
    dups: bool = False
    """Whether a block is sent again each time the walk visits it."""


DEFAULT_CAR: Final = CarParams()


def parse_car_params(query: Mapping[str, str], accept: Mapping[str, str]) -> CarParams:
    """Return the parameters of the query and, where it lacks them, of the type in `Accept`.

    Raises:
        BadRequest: a value that the specification does not define.
    """
    version = query.get("car-version", accept.get("version", "1"))
    order = query.get("car-order", accept.get("order", "dfs"))
    dups = query.get("car-dups", accept.get("dups", "n"))
    _refuse_unless(version == "1", "car-version", version)
    _refuse_unless(order in ("dfs", "unk"), "car-order", order)
    _refuse_unless(dups in ("y", "n"), "car-dups", dups)
    start, stop = 0, None
    if (text := query.get("entity-bytes")) is not None:
        start, stop = parse_entity_bytes(text)
    # entity-bytes without a scope implies "entity"; with another scope it means nothing.
    scope = query.get("dag-scope", Scope.ALL if text is None else Scope.ENTITY)
    _refuse_unless(scope in Scope.__members__.values(), "dag-scope", scope)
    if scope != Scope.ENTITY:
        start, stop = 0, None
    return CarParams(Scope(scope), start, stop, dups == "y")


def parse_entity_bytes(text: str) -> tuple[int, int | None]:
    """Parse `from:to`, both inclusive, into a Python slice's `(start, stop)`.

    Raises:
        BadRequest: not of that form, beyond 63 bits, or `from` is after `to`.
    """
    match = _BYTES.fullmatch(text)
    _refuse_unless(match is not None, "entity-bytes", text)
    assert match is not None  # noqa: S101 (for the type checker)
    first, last = int(match[1]), None if match[2] == "*" else int(match[2])
    in_range = -_MAX_OFFSET <= first <= _MAX_OFFSET and (last is None or abs(last) <= _MAX_OFFSET)
    _refuse_unless(in_range, "entity-bytes", text)
    if last is None:
        return first, None
    # A negative start with a positive end depends on the size of the file: no client needs it.
    is_ordered = first <= last and not first < 0 <= last
    _refuse_unless(is_ordered or first >= 0 > last, "entity-bytes", text)
    return first, None if last == -1 else last + 1


def _refuse_unless(is_good: bool, name: str, value: str) -> None:  # noqa: FBT001 (private)
    if not is_good:
        raise BadRequest(name, f"{value[:100]!r} is not a valid value")
