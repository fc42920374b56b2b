import pytest

from benchmarks.data.popularity import popularity, requests


def test_popularity_falls_with_the_rank() -> None:
    weights = popularity(1000)
    assert len(weights) == 1000
    assert weights == sorted(weights, reverse=True)


def test_half_of_any_catalogue_is_asked_for_about_once() -> None:
    tail = [weight for weight in popularity(1000) if weight <= 1.5]
    assert len(tail) == pytest.approx(500, abs=1)


@pytest.mark.parametrize(
    ("rank", "published"),
    [
        pytest.param(1, 400_000, id="first"),
        pytest.param(17, 100_000, id="seventeenth"),
        pytest.param(60_000, 100, id="end-of-the-middle"),
        pytest.param(4_000_000, 1, id="last"),
    ],
)
def test_requests_go_through_the_published_points(rank: int, published: int) -> None:
    assert requests(rank) == pytest.approx(published)
