"""What is told of upstreams in header fields."""

from gateway.ports import Choice
from gateway.web.upstream_fields import debug_field, timing_field

NEAR = Choice("stockholm-1", "nearest", 12.3, 3.14, 2)
NEXT = Choice("tokyo", "next-after-failure")


def test_the_time_of_a_hit_has_one_part() -> None:
    assert timing_field(0.0012, 0.0, ()) == (b"server-timing", b"total;dur=1.2")


def test_the_time_of_a_miss_names_who_was_asked_and_why() -> None:
    assert timing_field(0.06, 0.0501, [NEAR]) == (
        b"server-timing",
        b'total;dur=60.0, fetch;dur=50.1;desc="stockholm-1 nearest"',
    )


def test_choices_are_told_in_order_with_their_numbers() -> None:
    assert debug_field([NEAR, NEXT]) == (
        b"x-ipfs-upstream",
        (
            b"stockholm-1; reason=nearest; distance-km=12; ttfb-ms=3.1; in-flight=2, "
            b"tokyo; reason=next-after-failure; in-flight=0"
        ),
    )


def test_a_long_search_is_cut_short() -> None:
    assert debug_field([NEXT] * 100)[1].count(b"tokyo") == 8
