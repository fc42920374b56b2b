from gateway.content.memo import Memo


def test_what_was_kept_is_found() -> None:
    memo: Memo[str, int] = Memo(100)
    memo.keep("a", 1, 10)

    assert memo.find("a") == 1
    assert memo.find("b") is None


def test_the_least_recently_used_goes_first() -> None:
    memo: Memo[str, int] = Memo(100)
    for key in "abcd":
        memo.keep(key, 0, 25)
    memo.find("a")
    memo.keep("e", 0, 20)

    assert [key for key in "abcde" if memo.find(key) is not None] == list("acde")
    assert memo.weight == 95


def test_what_is_too_heavy_is_not_kept() -> None:
    memo: Memo[str, int] = Memo(100)
    memo.keep("a", 0, 26)

    assert len(memo) == 0
    assert memo.weight == 0


def test_what_two_found_at_once_is_weighed_once() -> None:
    memo: Memo[str, int] = Memo(100, 1)
    memo.keep("a", 1, 60)
    memo.keep("a", 2, 60)

    assert (memo.find("a"), memo.weight) == (1, 60)
    assert "a" in memo
    assert "b" not in memo
