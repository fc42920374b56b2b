from benchmarks.micro.bench_cache import measure


async def test_both_sizes_are_timed_with_both_verifications() -> None:
    figures = await measure(blocks=50, finds=40)
    assert len(figures) == 6
    assert all(0 < figure.median_us <= figure.p99_us for figure in figures)
