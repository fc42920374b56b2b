"""What is remembered of what nobody has."""

from gateway.errors import Attempt
from gateway.upstream.retrieval import negative_cache as module
from gateway.upstream.retrieval.negative_cache import ABSENT_S, NegativeCache

NOW = 1000.0
KEY = b"key"
SAID = (Attempt("a", "raw", "does not have it"), Attempt("b", "car", "ended the CAR"))


def test_who_said_so_is_remembered_with_the_time() -> None:
    negative_cache = NegativeCache()
    negative_cache.note(KEY, SAID, NOW)
    assert negative_cache.find(KEY, NOW + 1.25) == (
        Attempt("a", "raw", "does not have it, it said 1.2 s ago"),
        Attempt("b", "car", "ended the CAR, it said 1.2 s ago"),
    )


def test_what_was_not_asked_for_is_not_known() -> None:
    assert NegativeCache().find(KEY, NOW) is None


def test_it_is_forgotten_soon() -> None:
    negative_cache = NegativeCache()
    negative_cache.note(KEY, SAID, NOW)
    assert negative_cache.find(KEY, NOW + ABSENT_S) is None
    assert len(negative_cache) == 0


def test_it_is_forgotten_when_the_block_comes() -> None:
    negative_cache = NegativeCache()
    negative_cache.note(KEY, SAID, NOW)
    negative_cache.forget(KEY)
    assert negative_cache.find(KEY, NOW) is None


def test_the_oldest_goes_first_when_there_are_many() -> None:
    negative_cache = NegativeCache()
    for number in range(module.MAX_ABSENCES):
        negative_cache.note(b"%d" % number, SAID, NOW)
    negative_cache.note(b"0", SAID, NOW)
    negative_cache.note(b"one more", SAID, NOW)
    assert len(negative_cache) == module.MAX_ABSENCES
    assert negative_cache.find(b"1", NOW) is None
    assert negative_cache.find(b"0", NOW) is not None
