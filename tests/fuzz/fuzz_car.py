"""A stream gives the same sections and the same BadCar whole, byte by byte and in pieces."""

from gateway.content.car import CarParser
from gateway.content.cid import Cid
from gateway.errors import BadCar

Outcome = tuple[list[tuple[Cid, bytes]], str]


def parse(data: bytes, piece: int) -> Outcome:
    """Return the sections and the complaint of a parser that is fed pieces of one size."""
    parser = CarParser()
    sections: list[tuple[Cid, bytes]] = []
    try:
        for start in range(0, len(data), piece):
            sections += parser.feed(data[start : start + piece])
        parser.finish()
    except BadCar as exc:
        return sections, str(exc)
    return sections, ""


def check(data: bytes) -> None:
    """Parse `data` three ways."""
    whole = parse(data, max(len(data), 1))
    assert parse(data, 1) == whole
    assert parse(data, 7) == whole


if __name__ == "__main__":
    from harness import fuzz  # type: ignore[import-not-found]

    fuzz(check)
